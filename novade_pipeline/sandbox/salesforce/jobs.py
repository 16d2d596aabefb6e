"""The Bulk API 2.0: query jobs and their results."""

import json
from itertools import count

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce.bulk import PARALLEL_SINCE, Job, JobError, new_job
from novade_pipeline.sandbox.salesforce.faults import FaultInjector
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import CutShort, error, unavailable

_CSV = "text/csv; charset=UTF-8"


class JobEndpoints:
    """One method for each kind of request.

    Attributes:
        made: number of jobs created.
    """

    def __init__(self, org: Organisation, injector: FaultInjector, results_rows: int) -> None:
        self.made = 0
        self._org = org
        self._injector = injector
        self._results_rows = results_rows
        self._jobs: dict[str, Job] = {}
        self._numbers = count(1)

    def job_list(self, request: Request, body: bytes) -> Response:
        """All jobs that are not deleted."""
        jobs = [job.to_json() for job in self._jobs.values()]
        return JSONResponse({"done": True, "nextRecordsUrl": None, "records": jobs})

    def job_create(self, request: Request, body: bytes) -> Response:
        """A new job."""
        try:
            posted = json.loads(body)
        except (ValueError, RecursionError):
            return error(400, "JSON_PARSER_ERROR", "the body is no JSON")
        job = new_job(
            self._org,
            next(self._numbers),
            request.path_params["version"],
            posted if isinstance(posted, dict) else {},
        )
        self._injector.with_job(job)
        self.made += 1
        self._jobs[job.id] = job
        return JSONResponse(job.to_json())

    def job(self, request: Request, body: bytes) -> Response:
        """The state of a job."""
        job = self._find_job(request)
        job.advance(self._org)
        return JSONResponse(job.to_json())

    def job_abort(self, request: Request, body: bytes) -> Response:
        """Stop a job, the only change of state that a query job accepts."""
        job = self._find_job(request)
        job.abort()
        return JSONResponse(job.to_json())

    def job_delete(self, request: Request, body: bytes) -> Response:
        """Delete a job that has ended."""
        del self._jobs[self._find_job(request, ended=True).id]
        return Response(status_code=204)

    def job_results(self, request: Request, body: bytes) -> Response:
        """One page of a job's results."""
        job = self._job_in_its_version(request)
        max_rows = self._rows_of_page(request.query_params.get("maxRecords"))
        locator = request.query_params.get("locator", "")
        fault = self._injector.results_fault(job, locator)
        if fault == "unavailable":
            return unavailable()
        text, rows, following = job.page(locator, max_rows)
        headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": following}
        if fault == "cut":
            return CutShort(text, headers=headers, media_type=_CSV)
        self._injector.after_page(job.query.sobject.name)
        return Response(text, headers=headers, media_type=_CSV)

    def job_result_pages(self, request: Request, body: bytes) -> Response:
        """The URLs of some pages of a job's results, to be read in parallel."""
        if float(request.path_params["version"]) < PARALLEL_SINCE:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        job, locator = self._job_in_its_version(request), request.query_params.get("locator", "")
        return JSONResponse(job.parallel_pages(locator, self._results_rows))

    def _rows_of_page(self, requested: str | None) -> int:
        """The number of records in a page, which `uneven_pages` draws where `maxRecords` is set.

        Raises:
            JobError: `maxRecords` is not a positive number.
        """
        if requested is None:
            return self._results_rows
        if not requested.isdecimal() or int(requested) < 1:
            raise JobError("INVALIDJOB", f"maxRecords is no positive number: {requested}")
        return self._injector.page_rows(min(int(requested), self._results_rows))

    def _job_in_its_version(self, request: Request) -> Job:
        """The requested job, which only the API version that created it can read."""
        job, version = self._find_job(request), request.path_params["version"]
        if version != job.version:
            # The guide has only the status; code and text are made up.
            message = f"the job was created with API version {job.version}, not {version}"
            raise JobError("API_VERSION_MISMATCH", message, 409)
        return job

    def _find_job(self, request: Request, *, ended: bool = False) -> Job:
        job = self._jobs.get(request.path_params["id"])
        if job is None:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        if ended and job.is_running:
            raise JobError("INVALIDJOBSTATE", f"the job {job.id} has not ended")
        return job
