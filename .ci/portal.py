"""What a reviewer does in the portal with a browser: signs in, opens a task, answers it."""

import json
import re
import urllib.parse

from stack import equal, http

FORM = "application/x-www-form-urlencoded"


def signed_in(stack, reviewer, *teams):
    """Signs a reviewer of some work teams in and returns the session's cookie."""
    operation = json.dumps({"operation": "invite-reviewer", "reviewer": reviewer, "teams": teams})
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["ReviewPortalFunction"], Payload=operation)
    url, token = json.loads(answer["Payload"].read())["url"].split("?token=")
    answer = http(url, urllib.parse.urlencode({"token": token}).encode(), content_type=FORM)
    return answer.headers["set-cookie"].split(";")[0]


def task(stack, cookie, human_loop):
    """Returns the page of a task as the portal answers it, whatever the status."""
    return http(f"{stack.portal_url}task?loop={human_loop}", cookie=cookie)


def submit(stack, cookie, page, answer=None, **items):
    """Sends a page's form: with the whole answer, as a template's elements make it, or with a choice for each item."""
    form = {name: re.search(f'name="{name}" value="([^"]*)"', page.text)[1]
            for name in ("portal:csrf", "portal:loop", "portal:loop-id")}
    form |= items if answer is None else {"portal:answer": json.dumps(answer)}
    sent = http(f"{stack.portal_url}submit", urllib.parse.urlencode(form).encode(), cookie=cookie, content_type=FORM)
    equal(sent.status, 303, "submit")
