"""Draws functions that load, make and change entities in a block of a session, and return some of what they hold.

They end always, and do the same each time. Text in, text out: nothing is run here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

HEADER = """\
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from database import Badge, City, Node, Order, Role, Team, User, expiring_session, new_session


async def find_user(session: AsyncSession, user_id: int) -> User | None:
    return await session.get(User, user_id)


async def list_cities(session: AsyncSession) -> list[City]:
    result = await session.execute(select(City).order_by(City.id))
    return list(result.scalars())


"""
READERS = """\
from services import work


"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A mapped class as the functions use it."""

    name: str
    one: str  # what an entity is called
    many: str
    key: str  # of an entity that is there
    no_key: str
    made: str
    order_by: str
    changes: str  # an attribute and what it becomes
    join: str = ""  # a relationship with several rows for one entity
    reads: tuple[str, ...] = ()  # what is read of an entity `{}` through a relationship


KINDS = (
    Kind("User", "user", "users", "1", "77", 'User(name="Ida")', "User.id", 'name = "Ada"', "User.orders",
         ("[role.name for role in {}.roles]", "{}.city and {}.city.name", "[order.user.name for order in {}.orders]")),
    Kind("User", "user", "users", "2", "78", "User(name='Ole', city_id=1)", "User.id", "city_id = 2", "User.roles",
         ("{}.city and {}.city.name", "[order.note for order in {}.orders]")),
    Kind("Order", "order", "orders", "2", "79", 'Order(note="oats", user_id=3)', "Order.id", 'note = "jam"', "",
         ("{}.user.name", "{}.user.city and {}.user.city.name")),
    Kind("City", "city", "cities", "1", "80", 'City(name="Perm")', "City.id", 'name = "Omsk"', "City.users",
         ("[user.name for user in {}.users]",)),
    Kind("Node", "node", "nodes", "2", "81", 'Node(name="twig", parent_id=1)', "Node.id", 'name = "bud"', "",
         ("[child.name for child in {}.children]", "{}.parent and {}.parent.name")),
    Kind("Team", "team", "teams", "1", "82", 'Team(name="new", size=0)', "Team.id", "size = 1"),
    Kind("Badge", "badge", "badges", "(2, 1)", "(8, 8)", "Badge(team_id=1, number=7)", "Badge.number", 'title = "x"'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """What a variable holds: an entity, perhaps an entity, several, or nothing of interest."""

    kind: Kind | None
    form: str  # "entity", "optional", "list", "plain"


@dataclass
class Writer:
    """Draws the lines of a function. `held` are the variables that are bound on every path to here."""

    draw: st.DrawFn
    maker: str
    held: dict[str, Held] = field(default_factory=dict)
    numbers: int = 0
    given: Held | None = None  # what a plain `return name` at the end gives

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def one_of(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def kind(self) -> Kind:
        # users most of all: two names for one identity come of it
        return self.draw(st.sampled_from((KINDS[0], *KINDS)))

    def names(self, *forms: str) -> list[str]:
        return [name for name, held in self.held.items() if held.form in forms]

    def name_for(self, wanted: str) -> str:
        return self.one_of(wanted, wanted, f"other_{wanted}")

    # --- statements

    def body(self, indent: str, depth: int, most: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, most))):
            if self.chance(6):
                lines.append(f"{indent}# step {self.number()}")
            lines += [indent + line for line in self.step(depth)]
        return lines

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def step(self, depth: int) -> list[str]:
        kinds = ["load"] * 4 + ["loads"] * 3 + ["make", "make", "state", "state", "change", "change", "rare"]
        if depth < 2:
            kinds += ["if", "if", "for", "try"]
        if depth > 0:
            kinds += ["leave", "leave"]
        match self.one_of(*kinds):
            case "load":
                return self.load()
            case "loads":
                return self.loads()
            case "make":
                return self.make()
            case "state":
                return [self.one_of("await session.commit()", "await session.commit()", "await session.flush()")]
            case "change":
                return self.change()
            case "leave":
                return self.leave()
            case "if":
                return self.branch(depth)
            case "for":
                return self.loop(depth)
            case "try":
                return self.attempt(depth)
            case _:
                return self.rare()

    def load(self) -> list[str]:
        kind = self.kind()
        name = self.name_for(kind.one)
        key = self.one_of(kind.key, kind.key, kind.no_key)
        first = f"select({kind.name}).order_by({kind.order_by}).limit(1)"
        there, perhaps = Held(kind, "entity"), Held(kind, "optional")
        ways: list[tuple[list[str], Held]] = [
            ([f"{name} = await session.get({kind.name}, {key})"], perhaps),
            ([f"{name} = await session.get({kind.name}, {key})"], perhaps),
            ([f"{name} = await session.scalar({first})"], perhaps),
            ([f"{name} = (await session.execute({first})).scalar_one()"], there),
            ([f"result = await session.execute({first})", f"{name} = result.scalars().first()"], perhaps),
            ([f"{name} = (await session.scalars({first})).one_or_none()"], perhaps),
            ([f"{name} = await session.get_one({kind.name}, {kind.key})"], there),
        ]
        if kind.one == "user":
            ways.append(([f"{name} = await find_user(session, {key})"], perhaps))
        lines, held = self.draw(st.sampled_from(ways))
        self.held[name] = held
        if held.form == "optional" and self.chance(4):
            ends = self.one_of("return None", 'raise LookupError("nobody")')
            lines = [*lines, f"if {name} is None:", f"    {ends}"]
            self.held[name] = there
        return lines

    def loads(self) -> list[str]:
        kind = self.kind()
        name = self.name_for(kind.many)
        query = f"select({kind.name}).order_by({kind.order_by})"
        if kind.join and self.chance(3):
            query = f"select({kind.name}).join({kind.join}).order_by({kind.order_by})"
        ways = [
            [f"{name} = list((await session.scalars({query})).all())"],
            [f"result = await session.execute({query})", f"{name} = list(result.scalars())"],
            [f"result = await session.execute({query})", f"{name} = result.scalars().all()"],
            [f"{name} = (await session.execute({query})).scalars().unique().all()"],
            [f"{name} = [one for one in await session.scalars({query}) if one is not None]"],
        ]
        if kind.one == "city":
            ways.append([f"{name} = await list_cities(session)"])
        self.held[name] = Held(kind, "list")
        return self.draw(st.sampled_from(ways))

    def make(self) -> list[str]:
        kind = self.kind()
        name = self.name_for(kind.one)
        self.held[name] = Held(kind, "entity")
        written = self.one_of("", "await session.flush()", "await session.commit()", "await session.commit()")
        lines = [f"{name} = {kind.made}", f"session.add({name})", written]
        if written and self.chance(2):
            lines.append(f"await session.refresh({name})")
        return [line for line in lines if line]

    def change(self) -> list[str]:
        if not (names := self.names("entity", "optional")):
            return self.load()
        name = self.one_of(*names)
        held = self.held[name]
        assert held.kind is not None
        change = f"{name}.{held.kind.changes}"
        if held.form == "optional" and not self.chance(6):
            return [f"if {name} is not None:", f"    {change}"]
        return [change]

    def rare(self) -> list[str]:
        total = "total = await session.scalar(select(func.count(User.id)))"
        if not (names := self.names("entity", "optional")):
            self.held["total"] = Held(None, "plain")
            return [total]
        name = self.one_of(*names)
        held = self.held[name]
        assert held.kind is not None
        ways = [
            [f"await session.refresh({name})"],
            ["await session.rollback()"],
            [f"session.expunge({name})"],
            [f"if {name} is not None:", f"    session.expunge({name})"],
            [f"if {name} is not None:", f"    await session.delete({name})"],
            [f"session.expire({name})"],
            ["session.expunge_all()"],
            ["async with session.begin_nested():", f"    session.add({held.kind.made})"],
            [f"{held.kind.one} = await session.merge({held.kind.made})"],
            [f"other_{held.kind.one} = {name}"],
            [total],
        ]
        lines = self.draw(st.sampled_from(ways))
        if "merge(" in lines[0]:
            self.held[held.kind.one] = Held(held.kind, "entity")
        elif lines[0].startswith("other_"):
            self.held[f"other_{held.kind.one}"] = held
        elif lines[0] == total:
            self.held["total"] = Held(None, "plain")
        return lines

    def inner(self, depth: int, most: int = 2) -> list[str]:
        """The lines of a suite: what is bound in it may not be afterwards."""
        held = dict(self.held)
        lines = self.body("    ", depth + 1, most)
        self.held = held
        return lines

    def branch(self, depth: int) -> list[str]:
        tests = ["len(str(session.info)) > 1", "not session.info"]
        tests += [f"{name} is not None" for name in self.names("optional")]
        tests += self.names("optional", "list")
        lines = [f"if {self.one_of(*tests)}:", *self.inner(depth)]
        if self.chance(3):
            lines += ["else:", *self.inner(depth)]
        return lines

    def loop(self, depth: int) -> list[str]:
        if not (names := self.names("list")):
            return self.loads()
        name = self.one_of(*names)
        kind = self.held[name].kind
        assert kind is not None
        held = dict(self.held)
        self.held[kind.one] = Held(kind, "entity")
        lines = [f"for {kind.one} in list({name}):", *self.inner(depth)]
        # after the loop the name is bound only if it was before
        self.held = {**held, kind.one: Held(kind, "optional")} if kind.one in held else held
        return lines

    def attempt(self, depth: int) -> list[str]:
        lines = ["try:", *self.inner(depth)]
        shape = self.one_of("except", "except", "finally")
        if shape == "finally":
            return [*lines, "finally:", "    " + self.one_of("await session.commit()", "await session.flush()", "pass")]
        return [*lines, "except SQLAlchemyError:", "    await session.rollback()", *self.inner(depth, 1)]

    # --- returns

    def leave(self) -> list[str]:
        return [f"return {self.value()}"]

    def value(self) -> str:
        """What is returned, of the variables that are bound."""
        single = self.names("entity", "optional")
        several = self.names("list")
        kind = self.kind()
        values = [f"await session.get({kind.name}, {kind.key})", "None", "404"]
        values += single * 4 + several * 4
        values += [f"{name}, {other}" for name in single for other in [*several, *single]]
        values += [f"{name}, len({name})" for name in several]
        values += [f"{name}[0] if {name} else None" for name in several]
        values += [f"[one for one in {name} if one.id != 3]" for name in several if not name.endswith("badges")]
        values += [f'{{"found": {name}, "by": {number}}}' for number, name in enumerate([*single, *several])]
        values += [f"list({name})" for name in several]
        return self.one_of(*values)

    def function(self) -> list[str]:
        """The function `work`, with a block and what comes behind it."""
        lines = ["async def work():"]
        if self.chance(4):
            bound = self.kind()
            lines.append(f"    {bound.one} = None")
            self.held[bound.one] = Held(bound, "optional")
        shape = self.one_of("plain", "plain", "plain", "begin", "finally", "behind")
        lines.append(f"    async with {self.maker}{'.begin' if shape == 'begin' else ''}() as session:")
        if shape == "behind":
            return [*lines, *self.body("        ", 0, 6), f"    return {self.returned()}"]
        if shape == "finally":
            committed = ["        finally:", "            await session.commit()"]
            return [*lines, "        try:", *self.work("            "), *committed]
        return [*lines, *self.work("        ")]

    def work(self, indent: str) -> list[str]:
        """Steps and a return; what is returned may have been changed or made just before."""
        lines = self.body(indent, 0, 6)
        last = self.one_of("", "", "", "change", "make")
        if last:
            lines += [indent + line for line in (self.change() if last == "change" else self.make())]
        return [*lines, f"{indent}return {self.returned() if self.chance(2) else self.value()}"]

    def returned(self) -> str:
        """A variable that is bound, if there is one."""
        name = self.one_of(*(self.names("entity", "optional", "list") or ["None"]))
        self.given = self.held.get(name)
        return name


@dataclass(frozen=True, slots=True)
class Program:
    """Two modules: the function `work` in one, and in the other `read`, which reads what it returns."""

    services: str
    readers: str


@st.composite
def programs(draw: st.DrawFn, maker: str) -> Program:
    """A function over a session of `maker`, and a reader; both deterministic."""
    writer = Writer(draw, maker)
    services = HEADER + "\n".join(writer.function()) + "\n"
    lines = ["    return await work()"]
    given = writer.given
    if given is not None and given.kind is not None and given.kind.reads and draw(st.booleans()):
        read = draw(st.sampled_from(given.kind.reads)).replace("{}", given.kind.one)
        if given.form == "list":
            lines = [f"    return [{read} for {given.kind.one} in await work()]"]
        else:
            nobody = [f"    if {given.kind.one} is None:", "        return None"]
            lines = [f"    {given.kind.one} = await work()", *nobody, f"    return {read}"]
    readers = READERS + "\n".join(["async def read():", *lines]) + "\n"
    compile(services, "services", "exec")
    compile(readers, "readers", "exec")
    return Program(services, readers)
