"""Formats alerts for Slack, Teams, or as plain JSON (n8n and others).

Slack's blocks: https://docs.slack.dev/messaging/formatting-message-text and
https://docs.slack.dev/reference/block-kit/blocks. Teams' workflows take Adaptive Cards:
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
"""

from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from novade_pipeline.defs.operations.alerts import Alert

Format = Literal["slack", "teams", "json"]

# A host is one of these or ends with a dot and one of these.
_SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_TEAMS = (
    *("webhook.office.com", "logic.azure.com", "api.powerplatform.com"),
    *("powerautomate.com", "flow.microsoft.com"),
)
_SIGNS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE YELLOW CIRCLE}"}
_WELL = "\N{LARGE GREEN CIRCLE}"


def format_of(url: str, setting: Literal["auto"] | Format) -> Format:
    """The format of the setting; `auto` decides by the host."""
    if setting != "auto":
        return setting
    host = f".{(urlsplit(url).hostname or '').lower()}"
    if host.endswith(tuple(f".{known}" for known in _SLACK)):
        return "slack"
    if host.endswith(tuple(f".{known}" for known in _TEAMS)):
        return "teams"
    return "json"


def body(alert: Alert, message_format: Format, web_url: str) -> dict[str, Any]:
    """The body of the request."""
    return {"slack": _slack, "teams": _teams, "json": _json}[message_format](alert, web_url)


def run_url(run_id: str, web_url: str) -> str:
    """The address of a run in the web page."""
    return f"{web_url}/runs/{quote(run_id)}"


def _json(alert: Alert, web_url: str) -> dict[str, Any]:
    """Flat, so that a workflow can branch on any field; a repeated message has the same `id`."""
    problem = alert.problem
    return {
        "id": alert.id,
        "status": alert.status,
        "severity": problem.severity,
        "kind": problem.kind,
        "cause": problem.cause,
        "title": _title(alert),
        "text": _text(alert),
        "asset": problem.asset or None,
        "check": problem.check or None,
        "assets": problem.assets,
        "run_id": problem.run_id or None,
        "run_url": run_url(problem.run_id, web_url) if problem.run_id else None,
        "url": _links(alert, web_url)[0][1],
        "since": problem.at,
        "at": alert.at,
    }


def _slack(alert: Alert, web_url: str) -> dict[str, Any]:
    title, text = _escaped(f"{_sign(alert)} {_title(alert)}"), _escaped(_text(alert))
    links = "  ·  ".join(f"<{url}|{_escaped(name)}>" for name, url in _links(alert, web_url))
    return {
        "text": f"{title}: {text}",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*\n{text}"}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": links}]},
        ],
    }


def _teams(alert: Alert, web_url: str) -> dict[str, Any]:
    # A TextBlock would render Markdown in names and errors.
    title = {"type": "TextRun", "text": f"{_sign(alert)} {_title(alert)}", "weight": "Bolder"}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": f"{_title(alert)}: {_text(alert)}",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "RichTextBlock", "inlines": [title]},
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _text(alert)}]},
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": name, "url": url}
            for name, url in _links(alert, web_url)
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _sign(alert: Alert) -> str:
    return _WELL if alert.status == "well" else _SIGNS[alert.problem.severity]


def _title(alert: Alert) -> str:
    title = alert.problem.title
    return f"Well again: {title}" if alert.status == "well" else title


def _text(alert: Alert) -> str:
    problem = alert.problem
    if alert.status == "failing":
        return problem.text
    lasted = datetime.fromisoformat(alert.at) - datetime.fromisoformat(problem.at)
    return f"After {_duration(lasted)}. It was: {problem.text}"


def _duration(lasted: timedelta) -> str:
    minutes = max(0, round(lasted / timedelta(minutes=1)))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _links(alert: Alert, web_url: str) -> list[tuple[str, str]]:
    """Names and addresses: of the run, then of the asset."""
    problem, links = alert.problem, []
    if problem.run_id:
        links.append((f"Run {problem.run_id[:8]}", run_url(problem.run_id, web_url)))
    if problem.asset:
        page = f"{web_url}/assets/{quote(problem.asset)}"
        if problem.check:
            page += f"?view=checks&checkDetail={quote(problem.check)}"
        links.append((problem.asset, page))
    return links or [("All runs", f"{web_url}/runs")]


def _escaped(text: str) -> str:
    """Escapes Slack's three control characters, so that an error mentions no user."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
