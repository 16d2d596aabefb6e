"""Makes containers on the storage server of the compose file; those that are there stay."""

import os
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

service = BlobServiceClient(
    os.environ["NOVADE_AZURE_ENDPOINT"], credential=os.environ["NOVADE_AZURE_ACCOUNT_KEY"]
)
for name in sys.argv[1:]:
    try:
        service.create_container(name)
    except ResourceExistsError:
        print(f"{name} is there already")
    else:
        print(f"{name} made")
