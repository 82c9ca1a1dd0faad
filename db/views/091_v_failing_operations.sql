-- Failing pairs by operation, each with its latest error.

drop view if exists headgate.v_failing_operations cascade;

create view headgate.v_failing_operations as
select
    f.operation,
    count(*) as assets,
    max(f.last_failed_at) as last_failed_at,
    (array_agg(f.last_error order by f.last_failed_at desc nulls last))[1] as last_error,
    (array_agg(f.asset order by f.last_failed_at desc nulls last))[1] as last_asset
from headgate.v_failed_assets as f
group by f.operation
order by assets desc, f.operation;

comment on view headgate.v_failing_operations is
    'Operations with assets whose last attempts failed, those with the most first.';
comment on column headgate.v_failing_operations.operation is 'The operation.';
comment on column headgate.v_failing_operations.assets is 'Its assets whose last attempts failed.';
comment on column headgate.v_failing_operations.last_failed_at is 'When the latest of them failed.';
comment on column headgate.v_failing_operations.last_error is 'What went wrong then.';
comment on column headgate.v_failing_operations.last_asset is 'With which asset.';
