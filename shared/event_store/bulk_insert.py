"""One unordered insert for many documents, with each document's own outcome."""

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from shared.mongo import Collection, Document

DUPLICATE_KEY = 11_000


async def insert_each(collection: Collection, documents: Sequence[Document]) -> list[int]:
    """Insert what can be inserted; the places in `documents` of those whose key was taken.

    Raises BulkWriteError when the server refused one for another reason, or did not confirm that
    the majority has them.
    """
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        taken = [each["index"] for each in refused if each["code"] == DUPLICATE_KEY]
        if len(taken) < len(refused) or error.details["writeConcernErrors"]:
            raise
        return taken
    return []
