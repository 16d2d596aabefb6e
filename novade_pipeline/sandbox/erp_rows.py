"""A small sales database of PostgreSQL: customers, products, orders, order lines, and changes.

Customers are the companies of the sandbox's world, by the ids that Salesforce has of them.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from novade_pipeline.sandbox.business import company, person
from novade_pipeline.sandbox.salesforce.ids import record_id

DATABASE = "erp"
READER, READER_PASSWORD = "erp_reader", "sandbox-secret"
BETWEEN_ORDERS = timedelta(minutes=97)
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "GBP")
_ACCOUNT = "001"
_TABLES = (
    """create table customers (
        customer_id integer primary key,
        account_id varchar(18),
        name varchar(120) not null,
        email varchar(200),
        country varchar(60),
        external_ref uuid,
        created_at timestamptz not null,
        updated_at timestamptz not null
    )""",
    """create table products (
        product_id integer primary key,
        sku char(12) not null,
        name varchar(120) not null,
        list_price numeric(12, 4) not null,
        is_active boolean not null default true,
        details jsonb
    )""",
    """create table orders (
        order_id integer primary key,
        customer_id integer not null references customers,
        status varchar(12) not null,
        currency char(3) not null,
        ordered_at timestamptz not null,
        note text
    )""",
    """create table order_lines (
        order_id integer not null references orders on delete cascade,
        line_number smallint not null,
        product_id integer not null references products,
        quantity numeric(12, 3) not null,
        unit_price numeric(12, 4) not null,
        primary key (order_id, line_number)
    )""",
    "create publication novade for table customers, products, orders, order_lines",
    f"grant select on all tables in schema public to {READER}",
)


def create(
    url: str,
    *,
    seed: int = 1,
    companies: int = 12,
    orders: int = 400,
    until: datetime | None = None,
) -> None:
    """Make the database's tables and rows, and the role that reads them.

    Args:
        url: of an empty database, for its owner.
        companies: one customer in six is of none.
        until: when the last order came; now where None.
    """
    import psycopg2

    rng, end = Random(f"{seed}:erp"), until or datetime.now(UTC)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select 1 from pg_roles where rolname = %s", [READER])
        if not cursor.fetchall():
            cursor.execute(f"create role {READER} login replication password '{READER_PASSWORD}'")
        for statement in _TABLES:
            cursor.execute(statement)
        customers = max(6, companies * 6 // 5)
        for number in range(1, customers + 1):
            cursor.execute(
                "insert into customers values (%s, %s, %s, %s, %s, md5(%s)::uuid, "
                "%s - %s * interval '1 hour', %s - %s * interval '1 hour')",
                _customer(seed, companies, number, end),
            )
        for number in range(1, 31):
            price = f"{rng.randrange(100, 900_000)}.{rng.randrange(10_000):04d}"
            cursor.execute(
                "insert into products values (%s, %s, %s, %s, true, %s)",
                [number, f"P-{number:05d}", f"Café crème n° {number}", price, '{"pack": 6}'],
            )
        for number in range(1, orders + 1):
            ordered_at = end - (orders - number) * BETWEEN_ORDERS
            _insert_order(cursor, rng, number, customers, ordered_at)


def change(url: str, *, seed: int = 1, count: int = 20) -> None:
    """Insert, update and delete some rows, as a day of business does."""
    import psycopg2

    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(max(order_id), 0), (select max(customer_id) from customers) "
            "from orders"
        )
        last, customers = cursor.fetchone() or (0, 0)
        rng = Random(f"{seed}:erp:{last}")
        for number in range(last + 1, last + count + 1):
            _insert_order(cursor, rng, number, customers, datetime.now(UTC))
        for _ in range(count):
            changed = rng.randrange(1, last + 1)
            cursor.execute("update orders set status = 'shipped' where order_id = %s", [changed])
            cursor.execute(
                "update order_lines set quantity = quantity + 0.125 where order_id = %s and "
                "line_number = 1",
                [changed],
            )
            cursor.execute(
                "update customers set country = 'Österreich', updated_at = now() "
                "where customer_id = %s",
                [rng.randrange(1, customers + 1)],
            )
        cursor.execute("delete from orders where order_id = %s", [rng.randrange(1, last + 1)])


def _customer(seed: int, companies: int, number: int, end: datetime) -> list[Any]:
    is_known = number <= companies
    firm = company(seed, (number - 1) % companies)
    contact = person(seed, companies, number)
    return [
        number,
        record_id(_ACCOUNT, firm.index) if is_known else None,
        firm.name if is_known else f"Kiosk {contact.last_name}",
        contact.email,
        firm.country,
        f"{seed}:{number}",
        end,
        number * 100,
        end,
        number,
    ]


def _insert_order(
    cursor: Any, rng: Random, number: int, customers: int, ordered_at: datetime
) -> None:
    cursor.execute(
        "insert into orders values (%s, %s, %s, %s, %s, %s)",
        [
            number,
            rng.randrange(1, customers + 1),
            rng.choice(("open", "shipped", "shipped", "cancelled")),
            rng.choice(CURRENCIES),
            ordered_at,
            rng.choice((None, "à livrer avant midi", "Straße gesperrt")),
        ],
    )
    for line in range(1, rng.randrange(1, 5)):
        cursor.execute(
            "insert into order_lines values (%s, %s, %s, %s, %s)",
            [
                number,
                line,
                rng.randrange(1, 31),
                f"{rng.randrange(1, 50)}.{rng.choice((0, 125, 500)):03d}",
                f"{rng.randrange(100, 90_000)}.{rng.randrange(10_000):04d}",
            ],
        )
