"""What the made-up organisation answers to the Bulk API 2.0: query jobs and their results."""

import json
from itertools import count

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce.bulk import PARALLEL_SINCE, Job, JobError, new_job
from novade_pipeline.sandbox.salesforce.faults import FaultInjector
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import CutShort, error, unavailable

_CSV = "text/csv; charset=UTF-8"


class JobAnswers:
    """The answers, one method for each kind of request.

    Attributes:
        made: how many jobs were made.
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
        told = [job.told() for job in self._jobs.values()]
        return JSONResponse({"done": True, "nextRecordsUrl": None, "records": told})

    def job_create(self, request: Request, body: bytes) -> Response:
        """A new job."""
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return error(400, "JSON_PARSER_ERROR", "the body is no JSON")
        job = new_job(
            self._org,
            next(self._numbers),
            request.path_params["version"],
            asked if isinstance(asked, dict) else {},
        )
        self._injector.with_job(job)
        self.made += 1
        self._jobs[job.id] = job
        return JSONResponse(job.told())

    def job(self, request: Request, body: bytes) -> Response:
        """How far a job has come."""
        job = self._known(request)
        job.advance(self._org)
        return JSONResponse(job.told())

    def job_abort(self, request: Request, body: bytes) -> Response:
        """Stop a job: the one change of state that a query job takes."""
        job = self._known(request)
        job.abort()
        return JSONResponse(job.told())

    def job_delete(self, request: Request, body: bytes) -> Response:
        """Forget a job that has ended."""
        del self._jobs[self._known(request, ended=True).id]
        return Response(status_code=204)

    def job_results(self, request: Request, body: bytes) -> Response:
        """One page of a job's results."""
        job = self._with_results(request)
        most = self._rows_of_page(request.query_params.get("maxRecords"))
        locator = request.query_params.get("locator", "")
        fault = self._injector.fault_of_results(job, locator)
        if fault == "unavailable":
            return unavailable()
        text, rows, following = job.page(locator, most)
        headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": following}
        if fault == "cut":
            return CutShort(text, headers=headers, media_type=_CSV)
        self._injector.after_a_page_of(job.query.of.name)
        return Response(text, headers=headers, media_type=_CSV)

    def job_result_pages(self, request: Request, body: bytes) -> Response:
        """Where some pages of a job's results are, to be read side by side."""
        if float(request.path_params["version"]) < PARALLEL_SINCE:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        job, locator = self._with_results(request), request.query_params.get("locator", "")
        return JSONResponse(job.parallel_pages(locator, self._results_rows))

    def _rows_of_page(self, requested: str | None) -> int:
        """How many records a page may hold; the pages that are read side by side have all of them.

        Raises:
            JobError: it is no number of records that was asked for.
        """
        if requested is None:
            return self._results_rows
        if not requested.isdecimal() or int(requested) < 1:
            raise JobError("INVALIDJOB", f"maxRecords is no positive number: {requested}")
        return self._injector.rows_of_page(min(int(requested), self._results_rows))

    def _with_results(self, request: Request) -> Job:
        """A job that is asked in the version of the API that it was made in."""
        job, version = self._known(request), request.path_params["version"]
        if version != job.version:
            # The guide names the status only; code and text are made up.
            says = f"the job was created with API version {job.version}, not {version}"
            raise JobError("API_VERSION_MISMATCH", says, 409)
        return job

    def _known(self, request: Request, *, ended: bool = False) -> Job:
        job = self._jobs.get(request.path_params["id"])
        if job is None:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        if ended and job.is_running:
            raise JobError("INVALIDJOBSTATE", f"the job {job.id} has not ended")
        return job
