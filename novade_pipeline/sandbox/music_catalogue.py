"""Songs, places and devices of the music service, the same for every seed, and all invented."""

from typing import NamedTuple


class Song(NamedTuple):
    """A song."""

    song_id: str
    title: str
    artist: str
    genre: str
    seconds: int


class Place(NamedTuple):
    """Where a user lives; `utc_offset` is in hours, without summer time."""

    city: str
    region: str
    country: str
    dma: str | None
    latitude: float
    longitude: float
    utc_offset: int


class Model(NamedTuple):
    """A kind of device, in the words of Amplitude's fields."""

    platform: str
    os_name: str
    os_version: str
    library: str
    family: str
    device_type: str
    brand: str | None
    manufacturer: str | None
    model: str | None


GENRES = ("folk", "electronic", "jazz", "rock", "chamber", "hip hop")

_FIRST = (
    "Salt", "Copper", "Winter", "Paper", "Hollow", "Seventh", "Slow", "Amber", "Northern",
    "Borrowed", "Quiet", "Glass", "Crooked", "Velvet", "Distant",
)  # fmt: skip
_SECOND = (
    "Harbour", "Orchard", "Signal", "Staircase", "Meridian", "Kettle", "Lantern", "Ferry",
    "Almanac", "Satellite", "Garden", "Thaw", "Compass", "Viaduct", "Rehearsal", "Tide",
)  # fmt: skip
_ARTISTS = (
    "Maïa Lindqvist", "The Tram Conductors", "Oskar Blom Trio", "Nine Minute Egg", "Delphine Aoki",
    "Cartographers' Ball", "Tomás Ferreiro", "Low Sugar", "The Unsent Letters", "DJ Parallax Error",
    "Ingrid & the Inlets", "Mossworks", "Ada Okonjo-Reyes", "Fjärd", "Second Breakfast Club",
    "Kilowatt Choir", "Señor Isobar", "The Night Librarians", "Pilar Quintero", "Box of Weather",
)  # fmt: skip

SONGS = tuple(
    Song(
        song_id=f"song-{number:04}",
        title=f"{_FIRST[number % len(_FIRST)]} {_SECOND[number % len(_SECOND)]}",
        artist=_ARTISTS[number * 7 % len(_ARTISTS)],
        genre=GENRES[number * 7 % len(_ARTISTS) % len(GENRES)],
        seconds=121 + number * 53 % 259,
    )
    for number in range(len(_FIRST) * len(_SECOND))
)

ADVERTISERS = ("Pebble Bank", "Oatfield Dairy", "Nimbus Umbrellas", "Railcard Co-op")

PLACES = (
    Place("Lyon", "Auvergne-Rhone-Alpes", "France", None, 45.76, 4.84, 1),
    Place("Nantes", "Pays de la Loire", "France", None, 47.22, -1.55, 1),
    Place("Ghent", "East Flanders Province", "Belgium", None, 51.05, 3.73, 1),
    Place("Leipzig", "Saxony", "Germany", None, 51.34, 12.37, 1),
    Place("Bristol", "England", "United Kingdom", None, 51.45, -2.59, 0),
    Place("Porto", "Porto District", "Portugal", None, 41.15, -8.61, 0),
    Place("Montreal", "Quebec", "Canada", None, 45.50, -73.57, -5),
    Place("Madison", "Wisconsin", "United States", "Madison, WI", 43.07, -89.40, -6),
    Place("Portland", "Oregon", "United States", "Portland, OR", 45.52, -122.68, -8),
    Place("Pune", "Maharashtra", "India", None, 18.52, 73.86, 5),
)

WEB_MODELS = (
    Model("Web", "Chrome", "131", "amplitude-ts/2.11.1", "Windows", "Windows", None, None, None),
    Model("Web", "Firefox", "132", "amplitude-ts/2.11.1", "Linux", "Linux", None, None, None),
    Model("Web", "Safari", "18.1", "amplitude-ts/2.9.3", "Mac", "Mac", None, "Apple", None),
)
PHONE_MODELS = (
    Model(
        "iOS", "ios", "18.1", "amplitude-swift/1.10.4",
        "Apple iPhone", "Apple iPhone 14", "Apple", "Apple", "iPhone14,7",
    ),
    Model(
        "iOS", "ios", "17.6.1", "amplitude-swift/1.9.2",
        "Apple iPad", "Apple iPad Air", "Apple", "Apple", "iPad13,16",
    ),
    Model(
        "Android", "android", "14", "amplitude-kotlin/1.19.2",
        "Samsung Phone", "Samsung Galaxy A54", "samsung", "samsung", "SM-A546B",
    ),
    Model(
        "Android", "android", "13", "amplitude-kotlin/1.17.0",
        "Fairphone", "Fairphone 4", "Fairphone", "Fairphone", "FP4",
    ),
)  # fmt: skip
SERVER_MODEL = Model(
    "Server", "linux", "6.8", "amplitude-python/1.1.4", "Server", "Server", None, None, None
)

CARRIERS = ("Orange F", "Proximus", "Vodafone", "Bell", None)
LANGUAGES = ("English", "French", "German", "Portuguese")
APP_VERSIONS = ("4.8.0", "4.9.2", "5.0.1", "5.1.0")
