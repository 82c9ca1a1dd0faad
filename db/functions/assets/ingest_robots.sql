-- Stores a site's robots.txt: its rules, and its crawl delay as the pace of all calls. Pages that it newly disallows
-- become inactive, those that it allows again become active. A missing file (4xx) allows everything. Without any answer
-- nothing is stored, and the step after this one does not run.

create or replace function headgate.ingest_robots(
    p_context jsonb,
    p_asset_ids bigint[],
    p_answers headgate.answer[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_provider headgate.providers;
    v_answer constant headgate.answer := p_answers[1];
    v_said jsonb := '{}';
    v_reason text;
begin
    select p.* into v_provider
    from headgate.operations as o
    join headgate.providers as p using (provider_id)
    where o.name = p_context ->> 'operation';
    if v_answer.status between 200 and 299 then
        v_said := v_answer.body;
    elsif v_answer.status < 400 then
        v_reason := format(
            'robots.txt has moved to %s: set the address of provider %s to where the site is',
            v_answer.headers ->> 'location', v_provider.name
        );
        return query select p_asset_ids[1], 'failed', 0, null::timestamptz, v_reason;
        return;
    end if;
    perform headgate._take_robots(v_provider.provider_id, v_said);
    v_reason := headgate._rest_disallowed(v_provider);
    return query select
        p_asset_ids[1], case when v_reason is null then 'success' else 'failed' end,
        coalesce(jsonb_array_length(v_said -> 'rules'), 0), null::timestamptz, v_reason;
end;
$func$;

comment on function headgate.ingest_robots(jsonb, bigint[], headgate.answer[]) is
    'Ingest function of an operation that reads a site''s /robots.txt with the parser robots.';

create or replace function headgate._take_robots(
    p_provider_id bigint,
    p_said jsonb
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.providers as p
    set crawl_delay = make_interval(secs => nullif((p_said ->> 'crawl_delay')::double precision, 0))
    where p.provider_id = p_provider_id;

    delete from headgate.robots_rules as r where r.provider_id = p_provider_id;

    insert into headgate.robots_rules (provider_id, pattern, is_allowed)
    select p_provider_id, r.pattern, r.is_allowed
    from jsonb_to_recordset(p_said -> 'rules') as r (pattern text, is_allowed boolean);
$func$;

-- The pages of a site are the assets whose codes are paths. Returns why no page can be read; null if one can.
create or replace function headgate._rest_disallowed(p_provider headgate.providers)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_universes constant text[] := array(
        select o.universe
        from headgate.operations as o
        where o.provider_id = p_provider.provider_id
            and o.path = '{asset.code!}'
    );
begin
    update headgate.assets as a
    set is_active = j.is_allowed,
        attributes = case
            when j.is_allowed then a.attributes - 'refused_by'
            else a.attributes || '{"refused_by": "robots.txt"}'
        end
    from (
        select b.asset_id, headgate.is_allowed(p_provider.name, b.code) as is_allowed
        from headgate.assets as b
        where b.universe = any (v_universes)
            and (b.is_active or b.attributes ? 'refused_by')
    ) as j
    where a.asset_id = j.asset_id
        and a.is_active <> j.is_allowed;
    return case
        when not exists (select from headgate.assets as a where a.universe = any (v_universes))
            then format('there is no page to begin with: headgate.upsert_assets(%L, ...)', v_universes[1])
        when not exists (select from headgate.assets as a where a.universe = any (v_universes) and a.is_active)
            then format('the robots.txt of %s allows none of its pages', p_provider.name)
    end;
end;
$func$;
