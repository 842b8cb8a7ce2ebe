"""Headers by which no browser does more with an answer than show it."""

SECURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not say them itself."""

NOT_KEPT = {"Cache-Control": "no-store"}
"""Unless a route says that its answer may be kept."""

OVER_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
