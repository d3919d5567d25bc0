# What a confirm page asks for, as a form: made from the table of actions.

from typing import Any, cast

from django import forms

from ....actors.consumers._websocket import check_close
from ._actions import Action, Field

MOST_REASON = 500


class ActionForm(forms.Form):
    """The arguments of one action, why it is done, and where to go afterwards."""

    process = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)
    path = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)
    next = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)

    def __init__(self, action: Action, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.action = action
        for field in action.fields:
            self.fields[field.name] = _field(field)
        self.fields["reason"] = forms.CharField(
            required=False,
            max_length=MOST_REASON,
            widget=forms.TextInput(attrs={"class": "vTextField"}),
            label="Reason",
            help_text="Stands in the audit log and in the log of the process.",
        )

    def clean(self) -> dict[str, Any]:
        """Refuse what no peer may be told, and who is asked for what is not there."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("code") is not None:
            try:
                check_close(cleaned["code"], cleaned.get("text", ""))
            except ValueError as refusal:
                self.add_error("code" if "code" in str(refusal) else "text", str(refusal))
        return cleaned

    def arguments(self) -> dict[str, object]:
        """Return what the action is given; those left out have their defaults."""
        cleaned = cast("dict[str, object]", self.cleaned_data)
        return {
            field.name: field.default if cleaned[field.name] is None else cleaned[field.name]
            for field in self.action.fields
        }


def _field(field: Field) -> forms.Field:
    common: dict[str, Any] = {
        "label": field.label,
        "initial": field.default,
        "help_text": field.help,
        "required": False,
    }
    if field.kind == "seconds":
        return forms.FloatField(min_value=0.1, max_value=field.most, **common)
    if field.kind in ("code", "whole"):
        least = 1000 if field.kind == "code" else 1
        return forms.IntegerField(min_value=least, max_value=int(field.most), **common)
    if field.kind == "seen":
        seen = forms.HiddenInput
        return forms.IntegerField(min_value=0, max_value=int(field.most), widget=seen, **common)
    if field.kind == "flag":
        return forms.BooleanField(**common)
    return forms.CharField(max_length=int(field.most), **common)
