"""Values of picklists that generated records use."""

STAGES = {
    "Prospecting": (10.0, "Pipeline"),
    "Qualification": (20.0, "Pipeline"),
    "Needs Analysis": (40.0, "Pipeline"),
    "Proposal": (60.0, "BestCase"),
    "Negotiation": (80.0, "Forecast"),
    "On Hold": (5.0, "Omitted"),
    "Closed Won": (100.0, "Closed"),
    "Closed Lost": (0.0, "Omitted"),
}
"""Stage of an opportunity -> its probability in per cent and its forecast category."""

FORECAST_NAMES = {
    "Pipeline": "Pipeline",
    "BestCase": "Best Case",
    "Forecast": "Commit",
    "Omitted": "Omitted",
    "Closed": "Closed",
}
"""Forecast category -> how people see it."""

LEAD_SOURCES = ("Web", "Trade Show", "Referral", "Product", "Cold Call")
SEGMENTS = ("Enterprise", "Mid-Market", "Small Business")
REGIONS = ("EMEA", "AMER", "APAC")
LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
CONVERTED = "Closed - Converted"
COMPETITORS = ("Brightly", "Cadenza", "Ostinato")
