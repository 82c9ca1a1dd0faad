-- The variants, and which of them a decision chooses from. What is left out saves views for what is likely to win; its
-- totals go on being kept, and a variant that does better than was thought comes back.

drop view if exists viral.v_variants cascade;

create view viral.v_variants as
with tried as (
    select
        v.*,
        v.successes + v.failures as views,
        (v.successes + 1.0) / (v.successes + v.failures + 2) as rate
    from viral.variants as v
),
posterior as (
    select t.*, sqrt(t.rate * (1 - t.rate) / (t.views + 3)) as error
    from tried as t
),
decision as (
    select d.chosen from viral.decisions as d order by d.decided_at desc, d.run_id limit 1
),
-- The rate that the last of the places is surely worth.
worst as (
    select r.rate
    from (
        select p.rate - p.error as rate, row_number() over (order by p.rate - p.error desc) as place
        from posterior as p
        where p.views >= 100
    ) as r
    where r.place = (select cardinality(d.chosen) from decision as d)
),
poor as (
    select s.pattern as hook
    from viral.pattern_scores as s
    where s.run_id = (select l.run_id from viral.pattern_scores as l order by l.scored_at desc, l.run_id limit 1)
        and s.kind = 'hook'
        and not s.is_expected_above
)
select
    p.variant_no,
    p.variant_id,
    p.persona,
    p.dimensions ->> 'hook' as hook,
    p.successes,
    p.failures,
    p.rate::double precision as rate,
    p.created_at,
    case
        when p.views > 0 and p.rate + p.error < (select w.rate from worst as w)
            then 'others are better'
        when p.views = 0 and exists (select from poor as h where h.hook = p.dimensions ->> 'hook')
            then 'posts with its hook do poorly'
        when p.views = 0 and p.created_at < headgate.clock() - interval '7 days'
            then 'never shown, and a week old'
    end as retired_because
from posterior as p;

comment on view viral.v_variants is 'The variants, what is known of each, and which of them a decision leaves out.';
comment on column viral.v_variants.variant_no is 'Its number, by which decisions name it.';
comment on column viral.v_variants.variant_id is 'What the services call it.';
comment on column viral.v_variants.persona is 'Who says it.';
comment on column viral.v_variants.hook is 'How it begins.';
comment on column viral.v_variants.successes is 'Views that were followed by a reaction.';
comment on column viral.v_variants.failures is 'Views that were not.';
comment on column viral.v_variants.rate is 'The mean of Beta(successes + 1, failures + 1).';
comment on column viral.v_variants.created_at is 'When it was first heard of.';
comment on column viral.v_variants.retired_because is 'Why decisions leave it out; null: they choose from it.';
