"""The shop works when its database does and breaks when that does; no pipeline is needed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faultstream.demo.fault import FAULTS, HEALTHY
from faultstream.demo.fleet import Fleet, FleetError, new_ports
from faultstream.demo.process import ROLES, Setup, State
from tests.until import until_async


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A shop with shoppers, half as busy as in the demo but with its faults' arithmetic."""
    fleet = Fleet(Setup(ports=new_ports()), tmp_path)
    fleet.start(ROLES[:-1])
    try:
        await fleet.ready()
        fleet.start(ROLES[-1:])
        await fleet.ready()
        yield fleet
    finally:
        await fleet.close()


async def _shoppers(fleet: Fleet) -> State:
    return (await fleet.states())["shoppers"]


async def test_the_shop_breaks_with_its_database_and_not_before(fleet: Fleet) -> None:
    """Healthy: no errors. Both faults: inventory and payments fail, and shoppers see it. Healthy
    again: the errors stop."""

    async def healthy() -> bool:
        rates = (await _shoppers(fleet)).rates
        return rates.rps >= 40 and rates.errors_per_s == 0

    await until_async(healthy, "healthy traffic")
    assert (await _shoppers(fleet)).rates.errors == 0

    async def broken() -> bool:
        states = await fleet.states()
        failing = {role for role, state in states.items() if state.rates.errors_per_s >= 1}
        return {"inventory", "payments", "orders", "gateway", "shoppers"} <= failing

    await fleet.set_fault(FAULTS["both"])
    await until_async(broken, "errors of inventory and payments reach the shoppers")
    await fleet.set_fault(HEALTHY)
    await until_async(healthy, "healthy again")


async def test_a_process_that_ended_is_named(tmp_path: Path) -> None:
    """With the file that has its last words."""
    ports = new_ports()
    fleet = Fleet(Setup(ports={**ports, "database.http": ports["database"]}), tmp_path)
    fleet.start(("database",))
    try:
        with pytest.raises(FleetError, match=rf"database ended .* see {tmp_path}/database\.log"):
            await fleet.ready()
    finally:
        await fleet.close()


async def test_closing_leaves_no_process(tmp_path: Path) -> None:
    """Closing twice, and before anything is ready, ends every process."""
    fleet = Fleet(Setup(ports=new_ports()), tmp_path)
    fleet.start()
    assert fleet.running == set(ROLES)
    await fleet.close()
    await fleet.close()
    assert fleet.running == set()
    with pytest.raises(FleetError, match="ended with exit code"):
        fleet.check()
