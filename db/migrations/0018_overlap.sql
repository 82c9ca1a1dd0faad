-- How much of what it has an operation asks for again: providers correct what they published lately.

alter table headgate.operations
    add column overlap integer not null default 0 constraint overlap_in_range check (overlap between 0 and 1000);

comment on column headgate.operations.overlap is
    'Sessions up to the watermark that {state.since} asks for again; days for assets without a calendar; 0: from the watermark on.';
