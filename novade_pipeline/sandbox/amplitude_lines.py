"""Events and merges as lines of Amplitude's export.

Every line has every documented field, nulls included. The common part of a visitor's lines is
encoded once as a template.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from novade_pipeline.sandbox.music_service import PROCESSING, Event, Merge
from novade_pipeline.sandbox.music_users import SECOND, Device, User

UPLOADING = SECOND * 7 // 20
"""Microseconds from reception to `server_upload_time`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_TEXT, _BARE = "<text>", "<bare>"

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""JSON as Amplitude writes it: compact, UTF-8."""


def event_line(app: int, event: Event) -> str:
    """The line of an event, without the line end."""
    skew = event.device.skew
    happened = timestamp(event.happened)
    received = timestamp(event.received)
    return template(app, event) % (
        uuid_text(~event.bits),
        timestamp(event.happened + skew) if skew else happened,
        timestamp(event.received + skew) if skew else received,
        event.event_id,
        encode(event.properties),
        happened,
        event.event_type,
        timestamp(event.received + PROCESSING),
        received,
        timestamp(event.received + UPLOADING),
        event.session_id,
        uuid_text(event.bits),
    )


def merge_line(org: int, merge: Merge) -> str:
    """The line of a merge of two identities, without the line end."""
    return encode(
        {
            "scope": org,
            "merge_time": merge.merge_time,
            "merge_server_time": merge.merge_server_time,
            "amplitude_id": merge.amplitude_id,
            "merged_amplitude_id": merge.merged_amplitude_id,
        }
    )


def template(app: int, event: Event) -> str:
    """The common part of a visitor's lines, with `%s` in place of the fields that differ.

    In this order: $insert_id, client_event_time, client_upload_time, event_id, event_properties,
    event_time, event_type, processed_time, server_received_time, server_upload_time, session_id,
    uuid.
    """
    return _template(app, event.user, event.device, event.amplitude_id, event.user_id, event.level)


def timestamp(microseconds: int) -> str:
    """A time since 1970-01-01 UTC in Amplitude's format: date, blank, time, no zone."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(sep=" ", timespec="microseconds")


def uuid_text(bits: int) -> str:
    """128 random bits as a uuid of version 4."""
    text = f"{bits & (1 << 128) - 1:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=16_384)
def _template(
    app: int, user: User, device: Device, amplitude_id: int, user_id: str | None, level: str
) -> str:
    fields = _fields(app, user, device, amplitude_id, user_id, level)
    text = encode(dict(sorted(fields.items()))).replace("%", "%%")
    return text.replace(_TEXT, "%s").replace(f'"{_BARE}"', "%s")


def _fields(
    app: int, user: User, device: Device, amplitude_id: int, user_id: str | None, level: str
) -> dict[str, Any]:
    model, place, company = device.model, user.place, user.person.company
    placed = device.ip_address is not None
    known = {"gender": user.gender, "favourite_genre": user.genre} if user_id else {}
    return {
        "$insert_id": _TEXT,
        "$insert_key": None,
        "$schema": 13 if device.is_phone else None,
        "adid": device.adid,
        "amplitude_attribution_ids": None,
        "amplitude_event_type": None,
        "amplitude_id": amplitude_id,
        "app": app,
        "city": place.city if placed else None,
        "client_event_time": _TEXT,
        "client_upload_time": _TEXT,
        "country": place.country if placed else None,
        "data": {"path": "/2/httpapi", "group_first_event": {}, "group_ids": {}},
        "data_type": "event",
        "device_brand": model.brand,
        "device_carrier": device.carrier,
        "device_family": model.family,
        "device_id": device.device_id,
        "device_manufacturer": model.manufacturer,
        "device_model": model.model,
        "device_type": model.device_type,
        "dma": place.dma if placed else None,
        "event_id": _BARE,
        "event_properties": _BARE,
        "event_time": _TEXT,
        "event_type": _TEXT,
        "global_user_properties": {},
        "group_properties": {},
        "groups": {"company": [company.name]} if user_id and company and company.is_group else {},
        "idfa": device.idfa,
        "ip_address": device.ip_address,
        "is_attribution_event": False,
        "language": user.language,
        "library": model.library,
        "location_lat": place.latitude if device.is_phone else None,
        "location_lng": place.longitude if device.is_phone else None,
        "os_name": model.os_name,
        "os_version": model.os_version,
        "partner_id": None,
        "paying": True if level == "paid" else None,
        "plan": {},
        "platform": model.platform,
        "processed_time": _TEXT,
        "region": place.region if placed else None,
        "sample_rate": None,
        "server_received_time": _TEXT,
        "server_upload_time": _TEXT,
        "session_id": _BARE,
        "source_id": None,
        "start_version": device.start_version,
        "user_creation_time": timestamp(user.created) if user_id else None,
        "user_id": user_id,
        "user_properties": {"level": level, **known},
        "uuid": _TEXT,
        "version_name": device.version_name,
    }
