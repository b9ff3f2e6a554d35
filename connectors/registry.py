"""kind -> class: the one place to add a line for a new feed format, source or channel."""

from connectors.base import FeedReader
from connectors.readers.csv import CsvReader

READERS: dict[str, type[FeedReader]] = {
    "csv": CsvReader,
}
