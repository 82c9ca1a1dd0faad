"""Read by each Python of the stack as it starts: its garbage collector looks a seventieth as often as by default.

Nearly all that Airflow's processes make as they start stays, and looking through it takes them a tenth of their time.
"""

import gc

gc.set_threshold(50_000, 20, 100)
