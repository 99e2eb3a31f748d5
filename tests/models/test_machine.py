from medsweep.models.machine import product_rate, this_machine


def test_a_machine_is_measured() -> None:
    machine = this_machine()
    assert machine.devices >= 1
    assert 1e8 < product_rate((64, 32), 128, bf16=False, seconds=0.01) < 1e15
