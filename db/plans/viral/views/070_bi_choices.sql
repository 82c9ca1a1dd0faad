-- The variants that were chosen, for analysts.

drop view if exists viral_bi.choices cascade;

create view viral_bi.choices as
select
    c.decided_at,
    c.run_id,
    c.rank,
    c.variant_id,
    c.persona,
    c.hook,
    c.successes,
    c.failures,
    c.draw,
    c.is_explored
from viral.v_choices as c
where c.rank is not null;

comment on view viral_bi.choices is 'The variants that each decision of the flywheel chose.';
comment on column viral_bi.choices.decided_at is 'When it was decided.';
comment on column viral_bi.choices.run_id is 'The run that decided.';
comment on column viral_bi.choices.rank is '1 is the first choice.';
comment on column viral_bi.choices.variant_id is 'The variant.';
comment on column viral_bi.choices.persona is 'Who says it.';
comment on column viral_bi.choices.hook is 'How it begins.';
comment on column viral_bi.choices.successes is 'Its successes at that moment.';
comment on column viral_bi.choices.failures is 'Its failures at that moment.';
comment on column viral_bi.choices.draw is 'What was drawn from Beta(successes + 1, failures + 1).';
comment on column viral_bi.choices.is_explored is 'True: it was chosen because little was known of it.';
