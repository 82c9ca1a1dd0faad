-- Shows an exchange's new session if its bars pass the checks. Where one of severity error fails, v_published_prices
-- goes on showing what it showed yesterday, as it was known then, and one alert for the exchange and day says why. Runs
-- again, when late bars have come, until it succeeds. At the end of each run it also sees to it that exchanges go on
-- being watched and that each listing's code is noted.

create or replace function equities.publish_prices(
    p_pipeline text,
    p_run_id text
)
returns table (group_key text, session date, is_published boolean, failed_checks text[], unjudged_checks text[])
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_group record;
    v_faults text;
    v_is_error boolean;
begin
    perform equities._watch_groups(
        array(select a.group_key from headgate.v_assets as a where a.universe = 'equities_exchanges'), v_now
    );
    perform equities._ask_first_corrections(v_now);
    perform equities.note_listings();
    for v_group in select g.* from equities._last_sessions(v_now) as g order by g.group_key loop
        group_key := v_group.group_key;
        session := v_group.session;
        select
            coalesce(array_agg(c.name order by c.name) filter (where not c.is_passed), '{}'),
            coalesce(array_agg(c.name order by c.name) filter (where c.value is null), '{}'),
            string_agg(
                format(
                    '%s is %s, must be %s %s',
                    c.name,
                    round(c.value::numeric, 4),
                    replace(c.comparison, '_', ' '),
                    c.threshold
                ),
                '; ' order by c.name
            ) filter (where not c.is_passed),
            coalesce(bool_or(c.severity = 'error') filter (where not c.is_passed), false)
        into failed_checks, unjudged_checks, v_faults, v_is_error
        from equities._run_checks(group_key, session, v_now) as c;
        is_published := not v_is_error;

        if is_published then
            insert into equities.publications as p (group_key, published_to, published_at, run_id)
            values (v_group.group_key, v_group.session, v_now, p_run_id)
            on conflict on constraint publications_pkey do update
            set published_to = excluded.published_to, published_at = excluded.published_at, run_id = excluded.run_id;
        end if;
        perform headgate.resolve_alert(a.subject)
        from headgate.v_alerts as a
        where a.resolved_at is null
            and a.subject like format('prices %s ____-__-__', v_group.group_key)
            and (is_published or a.subject <> format('prices %s %s', v_group.group_key, v_group.session));
        if failed_checks <> '{}' then
            perform headgate.raise_alert(
                case when v_is_error then 'error' else 'warning' end,
                format('prices %s %s', v_group.group_key, v_group.session),
                case when v_is_error then 'not published: ' else 'published with warnings: ' end || v_faults
            );
        end if;
        return next;
    end loop;
end;
$func$;

comment on function equities.publish_prices(text, text) is
    'Publish each exchange''s last session if its bars stand the checks; returns which failed or judged nothing.';

-- The last session that is out, of exchanges with loaded histories.
create or replace function equities._last_sessions(p_now timestamptz)
returns table (group_key text, session date)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select g.group_key, t.session
    from (
        select a.group_key, min(l.calendar) as calendar
        from headgate.v_assets as a
        cross join lateral (
            select l.calendar
            from headgate.v_assets as l
            where l.universe = 'equities' and l.group_key = a.group_key
            limit 1
        ) as l
        where a.universe = 'equities_exchanges'
        group by a.group_key
    ) as g
    cross join lateral (
        select t.session
        from headgate.v_trading_sessions as t
        where t.calendar = g.calendar
            and t.session between (p_now - interval '20 days')::date and p_now::date
            and headgate.published_at('eodhd', t.calendar, t.session) <= p_now
        order by t.session desc
        limit 1
    ) as t;
$func$;

comment on function equities._last_sessions(timestamptz) is
    'The last session that is out, of each exchange with loaded histories.';

create or replace function equities._run_checks(
    p_group_key text,
    p_session date,
    p_now timestamptz
)
returns table (
    name text, severity text, comparison text, threshold double precision, value double precision,
    is_passed boolean
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_check equities.checks;
begin
    for v_check in select * from equities.checks as c order by c.name loop
        execute v_check.query into value using p_group_key, p_session;
        name := v_check.name;
        severity := v_check.severity;
        comparison := v_check.comparison;
        threshold := v_check.threshold;
        is_passed := coalesce(
            case comparison when 'at_least' then value >= threshold else value <= threshold end, true
        );
        insert into equities.check_results as r (
            group_key, session, name, checked_at, value, threshold, severity, is_passed
        )
        values (p_group_key, p_session, v_check.name, p_now, value, v_check.threshold, v_check.severity, is_passed)
        on conflict on constraint check_results_pkey do update
        set checked_at = excluded.checked_at, value = excluded.value, threshold = excluded.threshold,
            severity = excluded.severity, is_passed = excluded.is_passed;
        return next;
    end loop;
end;
$func$;

comment on function equities._run_checks(text, date, timestamptz) is
    'Run all checks for an exchange and session, and keep how they ended.';
