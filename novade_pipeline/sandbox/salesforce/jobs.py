"""What the made-up organisation answers to the Bulk API 2.0: query jobs and their results."""

import json
from itertools import count

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.sandbox.salesforce.bulk import Job, JobError, new_job
from novade_pipeline.sandbox.salesforce.mischief import Mischief
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import CutShort, error, unavailable

_CSV = "text/csv; charset=UTF-8"


class JobAnswers:
    """The answers, one method for each kind of request.

    Attributes:
        made: how many jobs were made.
    """

    def __init__(self, org: Organisation, mischief: Mischief, results_rows: int) -> None:
        self.made = 0
        self._org = org
        self._mischief = mischief
        self._results_rows = results_rows
        self._jobs: dict[str, Job] = {}
        self._numbers = count(1)

    def job_list(self, request: Request, body: bytes) -> Response:
        """All jobs that are not deleted."""
        version = request.path_params["version"]
        told = [job.told(version) for job in self._jobs.values()]
        return JSONResponse({"done": True, "nextRecordsUrl": None, "records": told})

    def job_create(self, request: Request, body: bytes) -> Response:
        """A new job."""
        try:
            asked = json.loads(body)
        except ValueError:
            return error(400, "JSON_PARSER_ERROR", "the body is no JSON")
        job = new_job(self._org, next(self._numbers), asked if isinstance(asked, dict) else {})
        self._mischief.with_job(job)
        self.made += 1
        self._jobs[job.id] = job
        return JSONResponse(job.told(request.path_params["version"]))

    def job(self, request: Request, body: bytes) -> Response:
        """How far a job has come."""
        job = self._known(request)
        job.advance(self._org)
        return JSONResponse(job.told(request.path_params["version"]))

    def job_abort(self, request: Request, body: bytes) -> Response:
        """Stop a job: the one change of state that a query job takes."""
        job = self._known(request)
        job.abort()
        return JSONResponse(job.told(request.path_params["version"]))

    def job_delete(self, request: Request, body: bytes) -> Response:
        """Forget a job that has ended."""
        del self._jobs[self._known(request, ended=True).id]
        return Response(status_code=204)

    def job_results(self, request: Request, body: bytes) -> Response:
        """One page of a job's results."""
        job = self._known(request)
        asked = request.query_params.get("maxRecords", str(self._results_rows))
        if not asked.isdecimal() or int(asked) < 1:
            raise JobError("INVALIDJOB", f"maxRecords is no positive number: {asked}")
        locator = request.query_params.get("locator", "")
        fault = self._mischief.fault_of_results(job, locator)
        if fault == "unavailable":
            return unavailable()
        text, rows, following = job.page(locator, int(asked))
        headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": following}
        if fault == "cut":
            return CutShort(text, headers=headers, media_type=_CSV)
        self._mischief.after_a_page_of(job.query.of.name)
        return Response(text, headers=headers, media_type=_CSV)

    def _known(self, request: Request, *, ended: bool = False) -> Job:
        job = self._jobs.get(request.path_params["id"])
        if job is None:
            raise JobError("NOT_FOUND", "The requested resource does not exist", 404)
        if ended and job.is_running:
            raise JobError("INVALIDJOBSTATE", f"the job {job.id} has not ended")
        return job
