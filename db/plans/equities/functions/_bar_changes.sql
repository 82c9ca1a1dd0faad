-- Compares the bars of many answers with the stored ones. Returns one row for each bar that differs from its stored
-- state, and one for each answer. An unchanged bar returns no row, so an answer that was seen before writes nothing.
--
-- kind       what it means
-- new           believed, and not stored
-- changed       believed, and stored otherwise: what was stored becomes a revision
-- readjusted    only its adjusted_close moved, and the answer is the whole history
-- lost          stored, and not in the history that takes the old one's place
-- doubted       not believed
-- answer        no bar but the answer as a whole: date is how far it reaches, fault why nothing of it counts
--
-- A history is restated when a stored bar comes back with another ratio of adjusted_close to close: a split or a
-- dividend has rewritten the whole past. Only a whole history may take its place; a part of one is `restated` and
-- nothing else. A history that would lose too many bars that way has been cut, and is a fault.
--
-- Meant to inline (hence no pinned path): each row that a function returns is written and read once more.

create or replace function equities._bar_changes(
    p_asset_ids bigint[],
    p_payloads text[],
    p_now timestamptz,
    p_is_history boolean
)
returns table (
    asset_id bigint, date date, kind text, open double precision, high double precision, low double precision,
    close double precision, adjusted_close double precision, volume double precision, known_from timestamptz,
    fault text, doubted bigint, is_restated boolean
)
language sql
stable
rows 10000
as $func$
    with bars as materialized (
        -- The planner assumes that a boolean is true for half of the rows, but that `fault is null` hardly ever holds.
        select b.*, b.fault is null as is_sound
        from equities._judged_bars(p_asset_ids, p_payloads, (p_now at time zone 'UTC')::pg_catalog.date) as b
    ),
    spans as materialized (
        select
            b.asset_id,
            case when p_is_history then '-infinity' else min(b.date) end as first_date,
            case when p_is_history then 'infinity' else max(b.date) end as last_date,
            max(b.date) filter (where b.date <= (p_now at time zone 'UTC')::pg_catalog.date) as reaches,
            count(b.fault) as doubted,
            case
                when max(b.warning) is not null then 'the provider cut the history: ' || left(max(b.warning), 200)
                when count(b.date) < count(*) then 'a bar has no readable date'
            end as fault
        from bars as b
        group by b.asset_id
    ),
    stored as materialized (
        select t.*
        from spans as p
        cross join lateral (
            select t.*
            from equities.prices as t
            where t.asset_id = p.asset_id and t.date between p.first_date and p.last_date
            offset 0
        ) as t
        where p.fault is null
    ),
    anchors as materialized (
        select p.asset_id, a.close, a.date
        from spans as p
        cross join lateral (
            select t.close, t.date
            from equities.prices as t
            where t.asset_id = p.asset_id and t.date between p.reaches - 30 and p.reaches
            order by t.date desc
            limit 1
        ) as a
        where not p_is_history
    ),
    compared as not materialized (  -- materializing costs more than computing it twice for the restated histories
        select
            b.asset_id, b.date, b.open, b.high, b.low, b.close, b.adjusted_close, b.volume,
            b.is_sound and u.fault is null as is_sound,
            coalesce(b.fault, u.fault) as fault,
            t.asset_id is not null as is_known,
            t.known_from,
            (t.open, t.high, t.low, t.close, t.volume) is not distinct from (b.open, b.high, b.low, b.close, b.volume)
                as is_as_traded,
            b.is_sound and equities._is_readjusted(t.close, t.adjusted_close, b.close, b.adjusted_close)
                as is_readjusted
        from bars as b
        left join stored as t using (asset_id, date)
        left join anchors as a on a.asset_id = b.asset_id
        cross join lateral (
            select case
                when equities._is_other_unit(b.close, coalesce(t.close, a.close))
                    then equities._unit_fault(
                        b.asset_id, b.close, b.date, coalesce(t.close, a.close), coalesce(t.date, a.date)
                    )
            end as fault
        ) as u
        where t.asset_id is null
            or not b.is_sound
            or (t.open, t.high, t.low, t.close, t.adjusted_close, t.volume)
                is distinct from (b.open, b.high, b.low, b.close, b.adjusted_close, b.volume::bigint)
    ),
    restated as materialized (
        select distinct c.asset_id from compared as c where c.is_readjusted
    ),
    lost as materialized (
        select t.*
        from stored as t
        join restated as r using (asset_id)
        where p_is_history
            and not exists (select from bars as b where b.asset_id = t.asset_id and b.date = t.date and b.is_sound)
    ),
    answers as materialized (
        select
            p.asset_id,
            p.reaches,
            p.doubted,
            p.asset_id = any (array(select r.asset_id from restated as r)) as is_restated,
            coalesce(p.fault, (
                select format('the history would lose %s of its %s bars', count(l.asset_id), count(*))
                from stored as t
                left join lost as l using (asset_id, date)
                where t.asset_id = p.asset_id
                having count(l.asset_id) > equities._setting('most_bars_lost') * count(*)
            )) as fault
        from spans as p
    ),
    kept as materialized (
        -- Listings whose stored bars stay: nothing of their answers is written.
        select a.asset_id from answers as a where a.fault is not null or a.is_restated and not p_is_history
    )
    select
        c.asset_id, c.date,
        case
            when not c.is_sound then 'doubted'
            when not c.is_known then 'new'
            when c.is_as_traded
                and (p_is_history or c.asset_id = any (array(select r.asset_id from restated as r)))
                then 'readjusted'
            else 'changed'
        end,
        c.open, c.high, c.low, c.close, c.adjusted_close, c.volume,
        case
            when c.is_known and c.is_as_traded then c.known_from
            when p_is_history and c.asset_id <> all (array(select distinct t.asset_id from stored as t)) then null
            else p_now
        end,
        c.fault, null::bigint, null::boolean
    from compared as c
    where c.asset_id <> all (array(select k.asset_id from kept as k))
        and (
            c.is_sound
            or not c.is_known
            and (c.asset_id, c.date) not in (select g.asset_id, g.date from compared as g where g.is_sound)
            or (c.asset_id, c.date) in (select l.asset_id, l.date from lost as l)
        )
    union all
    select
        l.asset_id, l.date, 'lost', l.open, l.high, l.low, l.close, l.adjusted_close, l.volume, l.known_from,
        null, null, null
    from lost as l
    where l.asset_id <> all (array(select k.asset_id from kept as k))
    union all
    select a.asset_id, a.reaches, 'answer', null, null, null, null, null, null, null, a.fault, a.doubted, a.is_restated
    from answers as a;
$func$;

comment on function equities._bar_changes(bigint[], text[], timestamptz, boolean) is
    'What the bars of many answers change, and the result of each answer; raises if an answer cannot be read.';

-- Evaluated for every bar, so it is split into a cheap check that almost always says no, and a look at the splits for
-- the rest. Meant to inline (no pinned path).
create or replace function equities._is_other_unit(
    p_close double precision,
    p_close_before double precision
)
returns boolean
language sql
immutable
as $func$
    select p_close not between p_close_before / 80 and p_close_before * 80
        and p_close between p_close_before / 125 and p_close_before * 125;
$func$;

comment on function equities._is_other_unit(double precision, double precision) is
    'True if a price is about a hundred times, or a hundredth of, the previous one.';

create or replace function equities._unit_fault(
    p_asset_id bigint,
    p_close double precision,
    p_date date,
    p_close_before double precision,
    p_date_before date
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when exists (
            select
            from equities.corporate_actions as c
            where c.asset_id = p_asset_id
                and c.kind = 'split'
                and c.ex_date between p_date_before and p_date
        ) then null
        when p_close > p_close_before then 'a hundred times the bar before'
        else 'a hundredth of the bar before'
    end;
$func$;

comment on function equities._unit_fault(bigint, double precision, date, double precision, date) is
    'Describes a price in another unit than the previous one that no split explains, such as pence instead of pounds.';

-- Both ratios come from rounded prices, so for small prices they differ slightly even without a restatement. Meant to
-- inline (no pinned path).
create or replace function equities._is_readjusted(
    p_close double precision,
    p_adjusted_close double precision,
    p_new_close double precision,
    p_new_adjusted_close double precision
)
returns boolean
language sql
immutable
as $func$
    select pg_catalog.abs(p_new_adjusted_close * p_close - p_adjusted_close * p_new_close)
        > 0.0005 * p_adjusted_close * p_new_close + 0.0001 * (p_close + p_new_close);
$func$;

comment on function equities._is_readjusted(double precision, double precision, double precision, double precision) is
    'True if a bar returned with another ratio of adjusted_close to close.';
