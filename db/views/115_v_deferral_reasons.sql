-- The deferral reasons in words, for explain_plan, v_deferrals and others.

drop view if exists headgate.v_deferral_reasons cascade;

create view headgate.v_deferral_reasons as
select r.reason, r.meaning
from (values
    ('quota', 'quota exhausted before this asset''s rank'),
    ('share', 'the pipeline''s share of the quota is exhausted before this asset''s rank'),
    ('reserve', 'backfill: the remaining units are kept for what is due later'),
    ('max_assets', 'the run''s asset limit is reached'),
    ('breaker', 'its breaker is open'),
    ('blocked', 'its provider is blocked'),
    ('failures', 'left out after 5 failures in a row, until it is reset')
) as r (reason, meaning);

comment on view headgate.v_deferral_reasons is 'The planner''s deferral reasons, in words.';
comment on column headgate.v_deferral_reasons.reason is
    'quota, share, reserve, max_assets, breaker, blocked or failures.';
comment on column headgate.v_deferral_reasons.meaning is 'The reason in words.';
