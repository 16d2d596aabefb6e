"""Error responses of Azure Storage, word for word.

Source: https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2, and for the
detail of an expired token
https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/alerts/storage-use-azcopy-troubleshoot.
"""

_REQUEST = "RequestId:6c3c5a3e-901e-0014-0b1f-000000000000\nTime:2026-11-02T10:00:00.0000000Z"
_EXPIRED = (
    "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start "
    "[Sun, 01 Nov 2026 00:00:00 GMT] - Expiry [Mon, 02 Nov 2026 00:00:00 GMT] - Current "
    "[Mon, 02 Nov 2026 10:00:00 GMT]</AuthenticationErrorDetail>"
)
# Status line, error code, message, further XML.
_ANSWERS = {
    "internal_error": (
        "500 The server encountered an internal error. Please retry the request.",
        "InternalError",
        "The server encountered an internal error. Please retry the request.",
        "",
    ),
    "busy": (
        "503 The server is busy.",
        "ServerBusy",
        "The server is currently unable to receive requests. Please retry your request.",
        "",
    ),
    "throttled": ("429 Too Many Requests", "TooManyRequests", "Too many requests.", ""),
    "forbidden": (
        "403 This request is not authorized to perform this operation using this permission.",
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
        "",
    ),
    "expired": (
        "403 Server failed to authenticate the request. Make sure the value of Authorization "
        "header is formed correctly including the signature.",
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header "
        "is formed correctly including the signature.",
        _EXPIRED,
    ),
    "skewed": (
        "403 Server failed to authenticate the request. Make sure the value of Authorization "
        "header is formed correctly including the signature.",
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header "
        "is formed correctly including the signature.",
        "<AuthenticationErrorDetail>Request date header too old: 'Mon, 02 Nov 2026 09:00:00 GMT'"
        "</AuthenticationErrorDetail>",
    ),
}


def answer(kind: str, method: str, retry_after: int) -> bytes:
    """The raw error response; without a body for HEAD.

    Args:
        kind: a key of the table above.
        method: of the request.
        retry_after: seconds, of `busy` and `throttled`.
    """
    status, code, message, more = _ANSWERS[kind]
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{message}\n{_REQUEST}</Message>{more}</Error>"
    ).encode()
    later = f"Retry-After: {retry_after}\r\n" if kind in ("busy", "throttled") else ""
    head = (
        f"HTTP/1.1 {status}\r\nServer: Windows-Azure-Blob/1.0\r\nx-ms-error-code: {code}\r\n"
        f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n{later}\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
