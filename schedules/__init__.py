"""The timetable: what the clock wakes, each slot once however many schedulers run."""
