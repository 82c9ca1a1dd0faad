-- Publishes an exchange's new session if its bars pass the checks. If a check of severity error fails,
-- v_published_prices keeps showing yesterday's prices as they were known then, and one alert for the exchange and day
-- says why. Each run tries again, because late bars may have come, until it succeeds. At the end of each run this
-- function also keeps exchanges watched and notes the code of each listing.

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
    perform headgate.run_checks(p_pipeline, p_run_id);
    for v_group in select g.* from equities._last_sessions(v_now) as g order by g.group_key loop
        group_key := v_group.group_key;
        session := v_group.session;
        select
            coalesce(array_agg(c.name order by c.name) filter (where c.status <> 'passed'), '{}'),
            coalesce(array_agg(c.name order by c.name) filter (where c.value is null and c.status = 'passed'), '{}'),
            string_agg(c.message, '; ' order by c.name),
            coalesce(bool_or(c.status in ('failed', 'errored')), false)
        into failed_checks, unjudged_checks, v_faults, v_is_error
        from equities._results(p_pipeline, p_run_id, group_key, session) as c;
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
    'Publish each exchange''s last session if its bars pass the checks; returns which failed or judged nothing.';

-- The last published session of exchanges with loaded histories.
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
    'The last published session of each exchange with loaded histories.';

-- The last result of each check in a run. A check whose query raises has no session: it holds back every exchange.
create or replace function equities._results(
    p_pipeline text,
    p_run_id text,
    p_group_key text,
    p_session date
)
returns table (name text, status text, value numeric, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct on (r.name) r.name, r.status, r.value, r.message
    from headgate.v_check_results as r
    where r.pipeline = p_pipeline
        and r.run_id = p_run_id
        and r.subject in (format('%s %s', p_group_key, p_session), '')
    order by r.name, r.result_id desc;
$func$;

comment on function equities._results(text, text, text, date) is
    'The last result of each check of an exchange and session in a run.';
