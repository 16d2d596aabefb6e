"""The resource `limits`: what the organisation allows in a day or an hour.

Source: REST API Developer Guide, "Limits" (resources_limits.htm) for the names, "List Organization
Limits" (dome_limits.htm) for the form; the figures are those of a small Enterprise Edition.
"""

from collections.abc import Mapping

DAILY_QUERY_JOBS = 10_000

_ALLOWED: Mapping[str, int] = {
    "ActiveScratchOrgs": 40,
    "AnalyticsExternalDataSizeMB": 40_960,
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentEinsteinDataInsightsStoryCreation": 5,
    "ConcurrentEinsteinDiscoveryStoryCreation": 2,
    "ConcurrentSyncReportRuns": 20,
    "DailyAnalyticsDataflowJobExecutions": 60,
    "DailyAnalyticsUploadedFilesSizeMB": 51_200,
    "DailyApiRequests": 100_000,
    "DailyAsyncApexExecutions": 250_000,
    "DailyAsyncApexTests": 500,
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyBulkV2QueryJobs": DAILY_QUERY_JOBS,
    "DailyDeliveredPlatformEvents": 50_000,
    "DailyDurableGenericStreamingApiEvents": 100_000,
    "DailyDurableStreamingApiEvents": 100_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyScratchOrgs": 80,
    "DailyStandardVolumePlatformEvents": 25_000,
    "DailyStreamingApiEvents": 100_000,
    "DailyWorkflowEmails": 990,
    "DataStorageMB": 10_240,
    "DurableStreamingApiConcurrentClients": 1_000,
    "FileStorageMB": 10_240,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlyDashboardResults": 5_000,
    "HourlyDashboardStatuses": 999_999_999,
    "HourlyLongTermIdMapping": 100_000,
    "HourlyManagedContentPublicRequests": 50_000,
    "HourlyODataCallout": 20_000,
    "HourlyPublishedPlatformEvents": 250_000,
    "HourlyPublishedStandardVolumePlatformEvents": 1_000,
    "HourlyShortTermIdMapping": 100_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 1_000,
    "MassEmail": 5_000,
    "MonthlyPlatformEventsUsageEntitlement": 0,
    "Package2VersionCreates": 6,
    "Package2VersionCreatesWithoutValidation": 500,
    "PermissionSets": 1_500,
    "PrivateConnectOutboundCalloutHourlyLimitMB": 0,
    "SingleEmail": 5_000,
    "StreamingApiConcurrentClients": 1_000,
}
_NESTED: Mapping[str, Mapping[str, int]] = {"PermissionSets": {"CreateCustom": 1_000}}


def limits(requests: int, used: int, jobs: int) -> dict[str, object]:
    """Each limit with what remains of it.

    Args:
        requests: requests allowed per day.
        used: requests used.
        jobs: query jobs created today.
    """
    left = dict(_ALLOWED)
    left["DailyApiRequests"] = max(0, requests - used)
    left["DailyBulkV2QueryJobs"] -= jobs
    allowed = {**_ALLOWED, "DailyApiRequests": requests}
    return {
        name: {
            "Max": allowed[name],
            "Remaining": left[name],
            **{name: _limit(maximum) for name, maximum in _NESTED.get(name, {}).items()},
        }
        for name in allowed
    }


def _limit(maximum: int) -> dict[str, int]:
    return {"Max": maximum, "Remaining": maximum}
