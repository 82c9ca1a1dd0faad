-- Pairs that fail by their own fault.

drop view if exists headgate.v_failed_assets cascade;

create view headgate.v_failed_assets as
select
    a.asset_id,
    a.code as asset,
    o.name as operation,
    s.consecutive_failures,
    s.last_error,
    s.last_failed_at,
    a.universe
from headgate.asset_processing_state as s
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id)
where s.consecutive_failures > 0
    and not o.is_retired;

comment on view headgate.v_failed_assets is
    'Assets whose last attempts failed; from 5 on they wait for headgate.reset_asset.';
comment on column headgate.v_failed_assets.asset_id is 'The asset.';
comment on column headgate.v_failed_assets.asset is 'Its code.';
comment on column headgate.v_failed_assets.operation is 'What failed.';
comment on column headgate.v_failed_assets.consecutive_failures is
    'Failures by its own fault since its last success.';
comment on column headgate.v_failed_assets.last_error is 'What went wrong last.';
comment on column headgate.v_failed_assets.last_failed_at is 'When.';
comment on column headgate.v_failed_assets.universe is 'The asset''s universe.';
