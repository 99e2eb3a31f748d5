"""Ways to predict other than a tuned candidate, one a file."""

from medsweep.arms._base import Arm
from medsweep.arms.registry import ARMS, ArmName, check_arm, make_arm

__all__ = ["ARMS", "Arm", "ArmName", "check_arm", "make_arm"]
