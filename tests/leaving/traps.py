"""The table of traps: applications in which a change that looks right breaks what worked, or cures nothing.

Whether the tool changes or refuses them is for the fixture cases to say. Every trap carries the wrong change, to show
that a trial would notice it.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from leaving.applications import Situation

SELECTINLOAD = "from sqlalchemy.orm import selectinload\n"
JOINEDLOAD = "from sqlalchemy.orm import joinedload\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A situation, its services as one would change them without thinking, and what gives that away."""

    situation: Situation
    fallen_into: str
    noticed_by: str  # begins what is said of it
    imports: str = ""

    @property
    def files(self) -> dict[str, str]:
        """All of the application after the wrong change."""
        return self.situation.with_services(self.fallen_into, self.imports)


def trap(
    name: str,
    services: str,
    wrong: dict[str, str],
    noticed_by: str,
    *,
    reader: str,
    shows: str,
    fails: str = "",
    imports: str = "",
) -> Trap:
    """A trap whose wrong change puts other code in the place of some that stands there once.

    The lines of the new code are indented as the line is on which the old code begins.
    """
    fallen_into = services = dedent(services)
    for old, new in wrong.items():
        assert services.count(old) == 1, (name, old)
        line = next(line for line in services.splitlines() if old in line)
        indentation = line[: len(line) - len(line.lstrip())]
        fallen_into = fallen_into.replace(old, new.replace("\n", f"\n{indentation}"))
    situation = Situation(name=name, services=services, reader=reader, shows=shows, fails=fails)
    return Trap(situation=situation, fallen_into=fallen_into, noticed_by=noticed_by, imports=imports)


LOST = (
    trap(
        "commit_in_finally_follows_the_return",
        """
        async def rename(user_id: int, name: str) -> User | None:
            async with new_session() as session:
                try:
                    user = await session.get(User, user_id)
                    if user is not None:
                        user.name = name
                    return user
                finally:
                    await session.commit()
        """,
        {"return user": "if user:\n    session.expunge(user)\nreturn user"},
        "rows",
        reader="""
        async def main() -> object:
            user = await rename(1, "Ada")
            return user and user.name
        """,
        shows="'Ada'",
    ),
    trap(
        "new_one_is_committed_by_its_block",
        """
        async def add_city(name: str) -> City:
            async with new_session.begin() as session:
                city = City(name=name)
                session.add(city)
                return city
        """,
        {"return city": "session.expunge(city)\nreturn city"},
        "rows",
        reader="""
        async def main() -> object:
            return (await add_city("Perm")).name
        """,
        shows="'Perm'",
    ),
    trap(
        "expunged_before_it_is_committed",
        """
        async def close_order(order_id: int) -> Order:
            async with new_session() as session:
                order = await session.get_one(Order, order_id)
                order.note = "closed"
                await session.commit()
                return order
        """,
        {"await session.commit()": "session.expunge(order)\nawait session.commit()"},
        "rows",
        reader="""
        async def main() -> object:
            return (await close_order(1)).note
        """,
        shows="'closed'",
    ),
)

RAISING = (
    trap(
        "expunged_already_on_one_of_two_ways",
        """
        async def find_user(user_id: int, detach: bool) -> User | None:
            async with new_session() as session:
                user = await session.get(User, user_id)
                if user is not None and detach:
                    session.expunge(user)
                return user
        """,
        {"return user": "if user:\n    session.expunge(user)\nreturn user"},
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            users = [await find_user(1, False), await find_user(2, True)]
            return [user and user.name for user in users]
        """,
        shows="['Anna', 'Boris']",
    ),
    trap(
        "joined_rows_hold_one_entity_twice",
        """
        async def buyers() -> list[User]:
            async with new_session() as session:
                result = await session.execute(select(User).join(User.orders).order_by(Order.id))
                users = list(result.scalars())
                return users
        """,
        {"return users": "for user in users:\n    session.expunge(user)\nreturn users"},
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            return [user.name for user in await buyers()]
        """,
        shows="['Anna', 'Anna', 'Boris']",
    ),
    trap(
        "children_went_with_their_parent",
        """
        async def user_and_orders() -> tuple[list[User], list[Order]]:
            async with new_session() as session:
                users = list((await session.execute(select(User).order_by(User.id))).scalars())
                for user in users:
                    await session.refresh(user, ["orders"])
                orders = list((await session.execute(select(Order).order_by(Order.id))).scalars())
                return users, orders
        """,
        {
            "return users, orders": (
                "for user in users:\n    session.expunge(user)\n"
                "for order in orders:\n    session.expunge(order)\n"
                "return users, orders"
            )
        },
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            users, orders = await user_and_orders()
            return len(users), [order.note for order in orders]
        """,
        shows="(3, ['tea', 'rye', 'salt'])",
    ),
    trap(
        "nobody_cannot_be_expunged",
        """
        async def find_user(user_id: int) -> User | None:
            async with new_session() as session:
                user = await session.get(User, user_id)
                return user
        """,
        {"return user": "session.expunge(user)\nreturn user"},
        "raises UnmappedInstanceError",
        reader="""
        async def main() -> object:
            return await find_user(99)
        """,
        shows="None",
    ),
    trap(
        "outer_join_has_rows_of_nobody",
        """
        async def orders_of_all() -> list[Order]:
            async with new_session() as session:
                query = select(Order).select_from(User).outerjoin(User.orders).order_by(User.id, Order.id)
                orders = list((await session.execute(query)).scalars())
                return orders
        """,
        {"return orders": "for order in orders:\n    session.expunge(order)\nreturn orders"},
        "raises UnmappedInstanceError",
        reader="""
        async def main() -> object:
            return len(await orders_of_all())
        """,
        shows="4",
    ),
    trap(
        "rows_are_no_entities",
        """
        async def users_and_cities() -> list:
            async with new_session() as session:
                result = await session.execute(select(User, City).join(User.city).order_by(User.id))
                pairs = list(result)
                return pairs
        """,
        {"return pairs": "for pair in pairs:\n    session.expunge(pair)\nreturn pairs"},
        "raises UnmappedInstanceError",
        reader="""
        async def main() -> object:
            return [(user.name, city.name) for user, city in await users_and_cities()]
        """,
        shows="[('Anna', 'Kazan'), ('Vera', 'Tula')]",
    ),
    trap(
        "what_is_merged_is_another_object",
        """
        async def put_role(role_id: int, name: str) -> Role:
            async with new_session() as session:
                role = Role(id=role_id, name=name)
                await session.merge(role)
                await session.commit()
                return role
        """,
        {"return role": "session.expunge(role)\nreturn role"},
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            return (await put_role(1, "chief")).name
        """,
        shows="'chief'",
    ),
    trap(
        "rolled_back_to_nothing",
        """
        async def add_badge(team_id: int, number: int) -> Badge:
            async with new_session() as session:
                badge = Badge(team_id=team_id, number=number)
                session.add(badge)
                try:
                    await session.commit()
                except IntegrityError:
                    await session.rollback()
                return badge
        """,
        {"return badge": "session.expunge(badge)\nreturn badge"},
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            return [(await add_badge(1, number)).title for number in (1, 2)]
        """,
        shows="['member', 'member']",
    ),
    trap(
        "joined_collection_without_unique",
        """
        async def list_users() -> list[User]:
            async with new_session() as session:
                result = await session.execute(select(User).order_by(User.id))
                users = list(result.scalars())
                return users
        """,
        {"select(User).": "select(User).options(joinedload(User.roles))."},
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            return [user.name for user in await list_users()]
        """,
        shows="['Anna', 'Boris', 'Vera']",
        imports=JOINEDLOAD,
    ),
    trap(
        "tree_takes_its_children_along",
        """
        async def list_nodes() -> list[Node]:
            async with new_session() as session:
                result = await session.execute(select(Node).order_by(Node.id))
                nodes = list(result.scalars())
                return nodes
        """,
        {
            "select(Node).": "select(Node).options(selectinload(Node.children)).",
            "return nodes": "for node in nodes:\n    session.expunge(node)\nreturn nodes",
        },
        "raises InvalidRequestError",
        reader="""
        async def main() -> object:
            return [[child.name for child in node.children] for node in await list_nodes()]
        """,
        shows="[['left', 'right'], ['leaf'], [], []]",
        fails="DetachedInstanceError",
        imports=SELECTINLOAD,
    ),
)

CURING_NOTHING = (
    trap(
        "expires_with_the_block_since_it_counts_as_false",
        """
        async def find_team(team_id: int) -> Team | None:
            async with expiring_session.begin() as session:
                team = await session.get(Team, team_id)
                return team
        """,
        {"return team": "if team:\n    session.expunge(team)\nreturn team"},
        "still fails",
        reader="""
        async def main() -> object:
            team = await find_team(1)
            return team is not None and team.name
        """,
        shows="'empty'",
        fails="DetachedInstanceError",
    ),
    trap(
        "loaded_already_without_the_option",
        """
        async def find_user(user_id: int) -> User | None:
            async with new_session() as session:
                known = await session.get(User, user_id)
                if known is None:
                    return None
                user = await session.get(User, user_id)
                return user
        """,
        {
            "user = await session.get(User, user_id)": (
                "user = await session.get(User, user_id, options=[selectinload(User.roles)])"
            )
        },
        "still fails",
        reader="""
        async def main() -> object:
            user = await find_user(1)
            return user and [role.name for role in user.roles]
        """,
        shows="['admin', 'editor']",
        fails="DetachedInstanceError",
        imports=SELECTINLOAD,
    ),
    trap(
        "way_back_to_the_parent_is_not_loaded",
        """
        async def find_user(name: str) -> User:
            async with new_session() as session:
                result = await session.execute(select(User).where(User.name == name))
                return result.scalar_one()
        """,
        {"select(User).": "select(User).options(selectinload(User.orders))."},
        "still fails",
        reader="""
        async def main() -> object:
            user = await find_user("Anna")
            return [(order.note, order.user.name) for order in user.orders]
        """,
        shows="[('tea', 'Anna'), ('rye', 'Anna')]",
        fails="DetachedInstanceError",
        imports=SELECTINLOAD,
    ),
    trap(
        "expunged_after_it_expired",
        """
        async def add_city(name: str) -> City:
            async with expiring_session() as session:
                city = City(name=name)
                session.add(city)
                await session.commit()
                return city
        """,
        {"return city": "session.expunge(city)\nreturn city"},
        "still fails",
        reader="""
        async def main() -> object:
            return (await add_city("Perm")).name
        """,
        shows="'Perm'",
        fails="DetachedInstanceError",
    ),
    trap(
        "filter_of_what_is_loaded",
        """
        async def list_buyers() -> list[User]:
            async with new_session() as session:
                result = await session.execute(select(User).order_by(User.id))
                users = list(result.scalars())
                return users
        """,
        {
            "select(User).": "select(User).join(User.orders).options(selectinload(User.orders)).",
            "list(result.scalars())": "list(result.scalars().unique())",
        },
        "shows",
        reader="""
        async def main() -> object:
            return [user.name for user in await list_buyers()]
        """,
        shows="['Anna', 'Boris', 'Vera']",
        imports=SELECTINLOAD,
    ),
    trap(
        "refreshed_once_more",
        """
        async def find_city(city_id: int) -> City:
            async with new_session() as session:
                city = await session.get_one(City, city_id)
                city.name = city.name.upper()
                return city
        """,
        {"return city": "await session.refresh(city)\nreturn city"},
        "shows",
        reader="""
        async def main() -> object:
            return (await find_city(1)).name
        """,
        shows="'KAZAN'",
    ),
    trap(
        "committed_too",
        """
        async def masked(user_id: int) -> User:
            async with new_session() as session:
                user = await session.get_one(User, user_id)
                user.name = "***"
                return user
        """,
        {"return user": "await session.commit()\nreturn user"},
        "rows",
        reader="""
        async def main() -> object:
            return (await masked(1)).name
        """,
        shows="'***'",
    ),
    trap(
        "opened_and_never_closed",
        """
        async def find_user(user_id: int) -> User:
            async with new_session() as session:
                return await session.get_one(User, user_id)
        """,
        {
            "async with new_session() as session:": "session = new_session()\nif True:",
            "return await session.get_one(User, user_id)": (
                "user = await session.get_one(User, user_id)\nsession.expunge(user)\nreturn user"
            ),
        },
        "connections",
        reader="""
        async def main() -> object:
            return (await find_user(1)).name
        """,
        shows="'Anna'",
    ),
)

TRAPS = (*LOST, *RAISING, *CURING_NOTHING)
