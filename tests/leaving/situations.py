"""The table of situations: how functions return what they loaded or made, and what comes of it for its reader."""

from __future__ import annotations

from leaving.applications import Situation

SQLITE = ("sqlite",)

ONE = (
    Situation(
        name="found_by_key",
        services="""
        async def find_user(user_id: int) -> User | None:
            async with new_session() as session:
                user = await session.get(User, user_id)
                return user
        """,
        reader="""
        async def main() -> object:
            found, missing = await find_user(1), await find_user(99)
            return found and found.name, missing
        """,
        shows="('Anna', None)",
    ),
    Situation(
        name="returned_where_it_is_loaded",
        services="""
        async def find_user(user_id: int) -> User | None:
            async with new_session() as session:
                # by its key
                return await session.get(User, user_id)  # or None
        """,
        reader="""
        async def main() -> object:
            found, missing = await find_user(1), await find_user(99)
            return found and found.name, missing
        """,
        shows="('Anna', None)",
    ),
    Situation(
        name="always_there",
        services="""
        async def load_user(name: str) -> User:
            async with new_session() as session:
                result = await session.execute(select(User).where(User.name == name))
                return result.scalar_one()
        """,
        reader="""
        async def main() -> object:
            return (await load_user("Boris")).id
        """,
        shows="2",
    ),
    Situation(
        name="not_there_ends_early",
        services="""
        async def find_city(name: str) -> City | None:
            async with new_session() as session:
                city = await session.scalar(select(City).where(City.name == name))
                if city is None:
                    return None
                return city
        """,
        reader="""
        async def main() -> object:
            found, missing = await find_city("Tula"), await find_city("Oz")
            return found and found.id, missing
        """,
        shows="(2, None)",
    ),
    Situation(
        name="entity_that_counts_as_false",
        services="""
        async def find_team(name: str) -> Team | None:
            async with new_session() as session:
                result = await session.execute(select(Team).where(Team.name == name))
                return result.scalars().first()
        """,
        reader="""
        async def main() -> object:
            teams = [await find_team("empty"), await find_team("full"), await find_team("none")]
            return [team is not None and team.name for team in teams]
        """,
        shows="['empty', 'full', False]",
    ),
    # the commit at the end expires what is still in the session
    Situation(
        name="block_that_commits_what_was_only_read",
        services="""
        async def find_team(team_id: int) -> Team | None:
            async with expiring_session.begin() as session:
                team = await session.get(Team, team_id)
                return team
        """,
        reader="""
        async def main() -> object:
            teams = [await find_team(1), await find_team(3)]
            return [team is not None and team.name for team in teams]
        """,
        shows="['empty', False]",
        fails="DetachedInstanceError",
    ),
    Situation(
        name="returned_after_the_block",
        services="""
        async def find_user(user_id: int) -> User | None:
            user = None
            if user_id > 0:
                async with new_session() as session:
                    user = await session.get(User, user_id)
            return user
        """,
        reader="""
        async def main() -> object:
            users = [await find_user(3), await find_user(0), await find_user(99)]
            return [user and user.name for user in users]
        """,
        shows="['Vera', None, None]",
    ),
    Situation(
        name="loaded_by_a_function_that_is_given_the_session",
        services="""
        async def by_name(session: AsyncSession, name: str) -> User | None:
            result = await session.execute(select(User).where(User.name == name))
            return result.scalar_one_or_none()


        async def find_user(name: str) -> User | None:
            async with new_session() as session:
                return await by_name(session, name.title())
        """,
        reader="""
        async def main() -> object:
            found, missing = await find_user("anna"), await find_user("nobody")
            return found and found.id, missing
        """,
        shows="(1, None)",
    ),
    Situation(
        name="returned_from_a_loop",
        services="""
        async def first_of(*names: str) -> User | None:
            async with new_session() as session:
                for name in names:
                    user = await session.scalar(select(User).where(User.name == name))
                    if user is not None:
                        return user
                return None
        """,
        reader="""
        async def main() -> object:
            found, missing = await first_of("Ada", "Vera", "Anna"), await first_of("Ada")
            return found and found.id, missing
        """,
        shows="(3, None)",
    ),
    Situation(
        name="two_names_for_one_identity",
        services="""
        async def pair(first: int, second: int) -> tuple[User | None, User | None]:
            async with new_session() as session:
                one = await session.get(User, first)
                other = await session.get(User, second)
                return one, other
        """,
        reader="""
        async def main() -> object:
            one, other = await pair(1, 1)
            same = one is other
            third, nobody = await pair(3, 99)
            return same, one and one.name, third and third.name, nobody
        """,
        shows="(True, 'Anna', 'Vera', None)",
    ),
    Situation(
        name="session_closed_by_hand",
        services="""
        async def find_user(user_id: int) -> User | None:
            session = new_session()
            try:
                user = await session.get(User, user_id)
                return user
            finally:
                await session.close()
        """,
        reader="""
        async def main() -> object:
            found, missing = await find_user(1), await find_user(99)
            return found and found.name, missing
        """,
        shows="('Anna', None)",
    ),
    Situation(
        name="session_that_nobody_closes",
        services="""
        async def find_user(user_id: int) -> User | None:
            session = new_session()
            user = await session.get(User, user_id)
            return user
        """,
        reader="""
        async def main() -> object:
            found = await find_user(1)
            return found and found.name
        """,
        shows="'Anna'",
        leaks=1,
    ),
)

MANY = (
    Situation(
        name="list_of_scalars",
        services="""
        async def list_users(prefix: str) -> list[User]:
            async with new_session() as session:
                result = await session.execute(select(User).where(User.name >= prefix).order_by(User.id))
                return list(result.scalars())
        """,
        reader="""
        async def main() -> object:
            return [user.name for user in await list_users("B")], await list_users("Z")
        """,
        shows="(['Boris', 'Vera'], [])",
    ),
    Situation(
        name="list_with_one_row_for_each_of_its_orders",
        services="""
        async def buyers() -> list[User]:
            async with new_session() as session:
                users = (await session.scalars(select(User).join(User.orders).order_by(Order.id))).all()
                return list(users)
        """,
        reader="""
        async def main() -> object:
            return [user.name for user in await buyers()]
        """,
        shows="['Anna', 'Anna', 'Boris']",
    ),
    Situation(
        name="list_of_an_outer_join_holds_nobody",
        services="""
        async def orders_of_all() -> list[Order]:
            async with new_session() as session:
                query = select(Order).select_from(User).outerjoin(User.orders).order_by(User.id, Order.id)
                result = await session.execute(query)
                return list(result.scalars().all())
        """,
        reader="""
        async def main() -> object:
            return [order and order.note for order in await orders_of_all()]
        """,
        shows="['tea', 'rye', 'salt', None]",
    ),
    Situation(
        name="list_of_written_sql_has_an_entity_twice",
        services="""
        async def twice() -> list[City]:
            async with new_session() as session:
                query = text("select id, name from cities union all select id, name from cities order by id")
                result = await session.execute(select(City).from_statement(query))
                cities = result.scalars().all()
                return list(cities)
        """,
        reader="""
        async def main() -> object:
            return [city.name for city in await twice()]
        """,
        shows="['Kazan', 'Kazan', 'Tula', 'Tula']",
    ),
    Situation(
        name="page_and_total",
        services="""
        async def page(limit: int) -> tuple[list[User], int | None]:
            async with new_session() as session:
                total = await session.scalar(select(func.count(User.id)))
                result = await session.execute(select(User).order_by(User.id).limit(limit))
                items = list(result.scalars())
                return items, total
        """,
        reader="""
        async def main() -> object:
            items, total = await page(2)
            return [user.name for user in items], total
        """,
        shows="(['Anna', 'Boris'], 3)",
    ),
    Situation(
        name="several_values_in_a_dict",
        services="""
        async def overview(user_id: int) -> dict[str, object]:
            async with new_session() as session:
                user = await session.get(User, user_id)
                city = await session.scalar(select(City).order_by(City.id))
                role = await session.scalar(select(Role).where(Role.name == "guest"))
                return {"user": user, "city": city, "role": role}
        """,
        reader="""
        async def main() -> object:
            found = [await overview(user_id) for user_id in (1, 99)]
            return [[value and value.name for value in one.values()] for one in found]
        """,
        shows="[['Anna', 'Kazan', 'guest'], [None, 'Kazan', 'guest']]",
    ),
    Situation(
        name="tree_that_expunges_its_children",
        services="""
        async def list_nodes() -> list[Node]:
            async with new_session() as session:
                nodes = (await session.scalars(select(Node).order_by(Node.id))).all()
                for node in nodes:
                    await session.refresh(node, ["children"])
                return list(nodes)
        """,
        reader="""
        async def main() -> object:
            return [(node.name, [child.name for child in node.children]) for node in await list_nodes()]
        """,
        shows="[('root', ['left', 'right']), ('left', ['leaf']), ('right', []), ('leaf', [])]",
    ),
    Situation(
        name="parent_together_with_its_children",
        services="""
        async def user_and_orders(user_id: int) -> tuple[User | None, list[Order]]:
            async with new_session() as session:
                user = await session.get(User, user_id)
                result = await session.execute(select(Order).where(Order.user_id == user_id).order_by(Order.id))
                orders = list(result.scalars())
                if user:
                    await session.refresh(user, ["orders"])
                return user, orders
        """,
        reader="""
        async def main() -> object:
            user, orders = await user_and_orders(1)
            nobody, nothing = await user_and_orders(99)
            return user and user.name, [order.note for order in orders], nobody, nothing
        """,
        shows="('Anna', ['tea', 'rye'], None, [])",
    ),
    Situation(
        name="equal_entities_are_not_one",
        services="""
        async def badges(team_id: int) -> list[Badge]:
            async with new_session() as session:
                result = await session.scalars(select(Badge).where(Badge.team_id == team_id).order_by(Badge.number))
                badges = result.all()
                return list(badges)


        async def find_badge(team_id: int, number: int) -> Badge | None:
            async with new_session() as session:
                badge = await session.get(Badge, (team_id, number))
                return badge
        """,
        reader="""
        async def main() -> object:
            full = await badges(2)
            found, missing = await find_badge(2, 2), await find_badge(9, 9)
            return [(badge.number, badge.title) for badge in full], found in full, missing
        """,
        shows="([(1, 'lead'), (2, 'member')], True, None)",
    ),
    Situation(
        name="list_of_a_sync_session",
        services="""
        def list_roles() -> list[Role]:
            with new_sync_session() as session:
                roles = session.scalars(select(Role).order_by(Role.id)).all()
                return list(roles)
        """,
        reader="""
        def main() -> object:
            return [role.name for role in list_roles()]
        """,
        shows="['admin', 'editor', 'guest']",
        databases=SQLITE,
    ),
)

WRITTEN = (
    Situation(
        name="made_committed_and_refreshed",
        services="""
        async def add_city(name: str) -> City:
            async with expiring_session() as session:
                city = City(name=name)
                session.add(city)
                await session.commit()
                await session.refresh(city)
                return city
        """,
        reader="""
        async def main() -> object:
            city = await add_city("Perm")
            return city.id, city.name
        """,
        shows="(3, 'Perm')",
    ),
    Situation(
        name="made_and_committed",
        services="""
        async def add_order(user_id: int, note: str) -> Order:
            async with new_session() as session:
                order = Order(user_id=user_id, note=note)
                session.add(order)
                await session.commit()
                return order
        """,
        reader="""
        async def main() -> object:
            order = await add_order(3, "oats")
            return order.id, order.note
        """,
        shows="(4, 'oats')",
    ),
    Situation(
        name="made_and_flushed_but_never_committed",
        services="""
        async def draft_city(name: str) -> City:
            async with new_session() as session:
                city = City(name=name)
                session.add(city)
                await session.flush()
                return city
        """,
        reader="""
        async def main() -> object:
            city = await draft_city("Perm")
            return city.id, city.name
        """,
        shows="(3, 'Perm')",
    ),
    Situation(
        name="found_or_made",
        services="""
        async def get_or_add_role(name: str) -> Role:
            async with expiring_session() as session:
                role = await session.scalar(select(Role).where(Role.name == name))
                if role is None:
                    role = Role(name=name)
                    session.add(role)
                    await session.commit()
                    await session.refresh(role)
                return role
        """,
        reader="""
        async def main() -> object:
            found, made = await get_or_add_role("guest"), await get_or_add_role("owner")
            return found.id, made.id, made.name
        """,
        shows="(3, 4, 'owner')",
    ),
    Situation(
        name="renamed_and_committed",
        services="""
        async def rename(user_id: int, name: str) -> User | None:
            async with new_session() as session:
                user = await session.get(User, user_id)
                if user is None:
                    return None
                user.name = name
                await session.commit()
                return user
        """,
        reader="""
        async def main() -> object:
            renamed, missing = await rename(2, "Bob"), await rename(99, "Eve")
            return renamed and renamed.name, missing
        """,
        shows="('Bob', None)",
    ),
    # the change is lost, as it was
    Situation(
        name="changed_for_display_only",
        services="""
        async def masked(user_id: int) -> User | None:
            async with new_session() as session:
                user = await session.get(User, user_id)
                if user is not None:
                    user.name = user.name[0] + "***"
                return user
        """,
        reader="""
        async def main() -> object:
            user = await masked(1)
            return user and user.name
        """,
        shows="'A***'",
    ),
    Situation(
        name="merged",
        services="""
        async def put_role(role_id: int, name: str) -> Role:
            async with new_session() as session:
                role = await session.merge(Role(id=role_id, name=name))
                await session.commit()
                return role
        """,
        reader="""
        async def main() -> object:
            role = await put_role(3, "visitor")
            return role.id, role.name
        """,
        shows="(3, 'visitor')",
    ),
    Situation(
        name="other_one_after_a_savepoint_that_failed",
        services="""
        async def add_or_find_badge(team_id: int, number: int) -> Badge | None:
            async with new_session() as session:
                try:
                    async with session.begin_nested():
                        session.add(Badge(team_id=team_id, number=number))
                except IntegrityError:
                    badge = await session.get(Badge, (team_id, number))
                    return badge
                await session.commit()
                return None
        """,
        reader="""
        async def main() -> object:
            there, made = await add_or_find_badge(1, 1), await add_or_find_badge(1, 2)
            return there and there.title, made
        """,
        shows="('lead', None)",
    ),
    Situation(
        name="one_deleted_and_the_other_returned",
        services="""
        async def replace_order(order_id: int) -> Order:
            async with new_session() as session:
                old = await session.get_one(Order, order_id)
                new = Order(user_id=old.user_id, note=old.note.upper())
                session.add(new)
                await session.delete(old)
                await session.commit()
                return new
        """,
        reader="""
        async def main() -> object:
            order = await replace_order(1)
            return order.id, order.note
        """,
        shows="(4, 'TEA')",
    ),
)

RELATED = (
    Situation(
        name="collection_read_by_a_caller",
        services="""
        async def find_user(name: str) -> User | None:
            async with new_session() as session:
                result = await session.execute(select(User).where(User.name == name))
                return result.scalar_one_or_none()
        """,
        reader="""
        async def main() -> object:
            user = await find_user("Anna")
            return [role.name for role in user.roles] if user else None
        """,
        shows="['admin', 'editor']",
        fails="DetachedInstanceError",
        eager=1,
    ),
    Situation(
        name="many_to_one_read_in_a_loop",
        services="""
        async def list_users() -> list[User]:
            async with new_session() as session:
                users = (await session.scalars(select(User).order_by(User.id))).all()
                return list(users)
        """,
        reader="""
        async def main() -> object:
            shown = []
            for user in await list_users():
                shown.append((user.name, user.city.name if user.city else None))
            return shown
        """,
        shows="[('Anna', 'Kazan'), ('Boris', None), ('Vera', 'Tula')]",
        fails="DetachedInstanceError",
        eager=1,
    ),
    Situation(
        name="two_levels_read_by_a_caller",
        services="""
        async def find_order(order_id: int) -> Order | None:
            async with new_session() as session:
                return await session.get(Order, order_id)
        """,
        reader="""
        async def main() -> object:
            order = await find_order(2)
            return order and (order.note, order.user.name, order.user.city and order.user.city.name)
        """,
        shows="('rye', 'Anna', 'Kazan')",
        fails="DetachedInstanceError",
        eager=2,
    ),
    Situation(
        name="back_to_the_parent_of_a_collection",
        services="""
        async def list_buyers() -> list[User]:
            async with new_session() as session:
                result = await session.execute(select(User).where(User.orders.any()).order_by(User.id))
                return list(result.scalars())
        """,
        reader="""
        async def main() -> object:
            return [(order.note, order.user.name) for user in await list_buyers() for order in user.orders]
        """,
        shows="[('tea', 'Anna'), ('rye', 'Anna'), ('salt', 'Boris')]",
        fails="DetachedInstanceError",
        eager=2,
    ),
    # with its children loaded a node takes them along when it is expunged
    Situation(
        name="tree_whose_children_are_read_by_a_caller",
        services="""
        async def list_nodes() -> list[Node]:
            async with new_session() as session:
                nodes = (await session.scalars(select(Node).order_by(Node.id))).all()
                return list(nodes)
        """,
        reader="""
        async def main() -> object:
            return [(node.name, [child.name for child in node.children]) for node in await list_nodes()]
        """,
        shows="[('root', ['left', 'right']), ('left', ['leaf']), ('right', []), ('leaf', [])]",
        fails="DetachedInstanceError",
        eager=1,
    ),
    Situation(
        name="collection_of_what_was_just_made",
        services="""
        async def add_user(name: str) -> User:
            async with new_session() as session:
                user = User(name=name)
                session.add(user)
                await session.commit()
                await session.refresh(user)
                return user
        """,
        reader="""
        async def main() -> object:
            user = await add_user("Gleb")
            return user.id, [role.name for role in user.roles]
        """,
        shows="(4, [])",
        fails="DetachedInstanceError",
        eager=2,  # a refresh looks for the row, too
        sqlalchemy=(2, 0),
    ),
    Situation(
        name="read_by_the_response_model",
        services="""
        async def find_user(user_id: int) -> User | None:
            async with new_session() as session:
                return await session.get(User, user_id)
        """,
        reader="""
        from fastapi import FastAPI
        from pydantic import BaseModel, ConfigDict

        app = FastAPI()


        class RoleOut(BaseModel):
            model_config = ConfigDict(from_attributes=True)

            name: str


        class UserOut(BaseModel):
            model_config = ConfigDict(from_attributes=True)

            name: str
            roles: list[RoleOut]


        @app.get("/users/{user_id}", response_model=UserOut)
        async def show_user(user_id: int):
            return await find_user(user_id)
        """,
        entry="/users/1",
        shows="""(200, '{"name":"Anna","roles":[{"name":"admin"},{"name":"editor"}]}')""",
        fails="ResponseValidationError",
        eager=1,
    ),
    Situation(
        name="joined_list_whose_city_is_read",
        services="""
        async def buyers() -> list[User]:
            async with new_session() as session:
                users = (await session.scalars(select(User).join(User.orders).order_by(Order.id))).all()
                return list(users)
        """,
        reader="""
        async def main() -> object:
            return [user.city and user.city.name for user in await buyers()]
        """,
        shows="['Kazan', 'Kazan', None]",
        fails="DetachedInstanceError",
        eager=1,
    ),
)

SITUATIONS = (*ONE, *MANY, *WRITTEN, *RELATED)
