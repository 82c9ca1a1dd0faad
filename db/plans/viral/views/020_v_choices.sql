-- The decisions, variant by variant.

drop view if exists viral.v_choices cascade;

create view viral.v_choices as
select
    d.decided_at,
    d.run_id,
    v.variant_id,
    v.persona,
    v.dimensions ->> 'hook' as hook,
    u.successes,
    u.failures,
    u.draw,
    array_position(d.chosen, u.variant_no) as rank,
    u.variant_no = any (d.explored) as is_explored
from viral.decisions as d
cross join unnest(d.variants, d.successes, d.failures, d.draws) as u (variant_no, successes, failures, draw)
left join viral.variants as v using (variant_no);

comment on view viral.v_choices is 'What was known and drawn of each variant in each decision, and what was chosen.';
comment on column viral.v_choices.decided_at is 'When it was decided.';
comment on column viral.v_choices.run_id is 'The run that decided.';
comment on column viral.v_choices.variant_id is 'The variant.';
comment on column viral.v_choices.persona is 'Who says it.';
comment on column viral.v_choices.hook is 'How it begins.';
comment on column viral.v_choices.successes is 'Its successes at that moment.';
comment on column viral.v_choices.failures is 'Its failures at that moment.';
comment on column viral.v_choices.draw is 'What was drawn from Beta(successes + 1, failures + 1).';
comment on column viral.v_choices.rank is '1 is the first choice; null: it was not chosen.';
comment on column viral.v_choices.is_explored is 'It was chosen because little was known of it.';
