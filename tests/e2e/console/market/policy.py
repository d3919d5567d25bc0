# A Content-Security-Policy as a careful project has it: no inline script, no inline style, and no
# text that a script makes markup of.

POLICY = "default-src 'self'; img-src 'self' data:; require-trusted-types-for 'script'"


def strict(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware
