-- Assets, for plans and people.

drop view if exists headgate.v_assets cascade;

create view headgate.v_assets as
select
    a.asset_id,
    a.universe,
    a.code,
    a.group_key,
    a.calendar,
    a.attributes,
    a.weight,
    a.is_active
from headgate.assets as a;

comment on view headgate.v_assets is 'Assets.';
comment on column headgate.v_assets.asset_id is 'Surrogate key; survives a change of code.';
comment on column headgate.v_assets.universe is 'The set of assets it belongs to.';
comment on column headgate.v_assets.code is 'The code users type, e.g. AAPL.US.';
comment on column headgate.v_assets.group_key is
    'How assets are partitioned for calls, e.g. the exchange code US.';
comment on column headgate.v_assets.calendar is 'Its session calendar; null: no sessions.';
comment on column headgate.v_assets.attributes is 'Further attributes.';
comment on column headgate.v_assets.weight is 'Its weight in the ranking when the budget is short.';
comment on column headgate.v_assets.is_active is 'False: nothing is done for it; its history stays.';
