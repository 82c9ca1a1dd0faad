-- Variants of content, what the audience made of them, and the decisions which of them to publish.

create table viral.variants (
    variant_no bigint generated always as identity,
    variant_id text not null,
    persona text not null,
    content text,
    dimensions jsonb not null default '{}',
    successes bigint not null default 0,
    failures bigint not null default 0,
    created_at timestamptz not null,
    constraint variants_pkey primary key (variant_no),
    constraint variant_id_is_unique unique (variant_id),
    constraint outcomes_are_not_negative check (successes >= 0 and failures >= 0)
);

comment on table viral.variants is 'Variants of content: the arms that Thompson sampling chooses from.';
comment on column viral.variants.variant_no is 'Its number, by which decisions name it.';
comment on column viral.variants.variant_id is 'What the services call it.';
comment on column viral.variants.persona is 'Who says it; empty: the services did not tell.';
comment on column viral.variants.content is 'Its text; null: the services did not tell.';
comment on column viral.variants.dimensions is 'What it is made of, such as its hook.';
comment on column viral.variants.successes is 'Views that were followed by a reaction, in all, as last told.';
comment on column viral.variants.failures is 'Views that were not.';
comment on column viral.variants.created_at is 'When it was first heard of.';

create table viral.outcomes (
    run_id text not null,
    variant_no bigint not null,
    successes bigint not null,
    failures bigint not null,
    found_at timestamptz not null,
    constraint outcomes_pkey primary key (run_id, variant_no),
    constraint an_outcome_is_a_variants foreign key (variant_no) references viral.variants on delete cascade
);

create index outcomes_variant_idx on viral.outcomes (variant_no);
create index outcomes_found_at_idx on viral.outcomes (found_at);

comment on index viral.outcomes_variant_idx is 'Finds the outcomes of a variant.';
comment on index viral.outcomes_found_at_idx is 'Finds outcomes that are old enough to be deleted.';
comment on table viral.outcomes is
    'By how much a variant''s totals grew in a run. What it had when it was first heard of is nobody''s outcome.';
comment on column viral.outcomes.run_id is 'The run that found it.';
comment on column viral.outcomes.variant_no is 'The variant.';
comment on column viral.outcomes.successes is 'Reactions.';
comment on column viral.outcomes.failures is 'Views without one.';
comment on column viral.outcomes.found_at is 'When.';

create table viral.decisions (
    run_id text not null,
    seed bigint not null,
    numpy_version integer not null,
    variants bigint[] not null,
    successes bigint[] not null,
    failures bigint[] not null,
    draws double precision[] not null,
    chosen bigint[] not null,
    explored bigint[] not null,
    decided_at timestamptz not null,
    constraint decisions_pkey primary key (run_id)
);

create index decisions_decided_at_idx on viral.decisions (decided_at);

comment on index viral.decisions_decided_at_idx is 'Finds decisions that are old enough to be deleted.';
comment on table viral.decisions is
    'Each decision with all that it was made from: numpy''s Generator(PCG64(seed)).beta(successes + 1, failures + 1) '
    'draws it again.';
comment on column viral.decisions.run_id is 'The run.';
comment on column viral.decisions.seed is 'The seed of its draws.';
comment on column viral.decisions.numpy_version is '20300 is numpy 2.3.0; another one may draw other numbers.';
comment on column viral.decisions.variants is 'The variants it chose from, by number.';
comment on column viral.decisions.successes is 'Their successes, in the same order.';
comment on column viral.decisions.failures is 'Their failures.';
comment on column viral.decisions.draws is 'What was drawn for each from its Beta distribution.';
comment on column viral.decisions.chosen is 'The variants chosen, the highest draw first.';
comment on column viral.decisions.explored is 'Those among them that were chosen because little is known of them.';
comment on column viral.decisions.decided_at is 'When.';

create type viral.drawn_row as (
    asset_id bigint,
    variant_no bigint,
    successes bigint,
    failures bigint,
    draw double precision,
    rank integer,
    is_explored boolean,
    numpy_version integer
);

comment on type viral.drawn_row is
    'A row of the handler thompson: a variant, its draw, and its place; rank null: not chosen.';
