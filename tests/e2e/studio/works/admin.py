from typing import Any

from django.contrib import admin, messages

from .models import Artist, Piece


class PieceInline(admin.TabularInline):
    model = Piece
    extra = 1


@admin.register(Artist)
class ArtistAdmin(admin.ModelAdmin):
    list_display = ["name", "active"]
    list_filter = ["active"]
    search_fields = ["name"]
    inlines = [PieceInline]
    actions = ["retire"]

    @admin.action(description="Retire the selected artists")
    def retire(self, request: Any, queryset: Any) -> None:
        count = queryset.update(active=False)
        self.message_user(request, f"{count} retired.", messages.SUCCESS)


admin.site.register(Piece)
