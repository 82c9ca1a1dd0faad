-- Migrations and views create the tables to load and query. A run without them stops here and names what is missing.

create or replace function onpoint.create_tables(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_relations constant text[] :=
        '{posts, users, comments, stories, user_activity, onpoint_posts, onpoint_users, onpoint_comments}';
    v_missing constant text[] := array(
        select r.name from unnest(v_relations) as r (name) where to_regclass('onpoint.' || r.name) is null
    );
begin
    if v_missing <> '{}' then
        raise exception 'not there in schema onpoint: %', array_to_string(v_missing, ', ') using
            hint = 'headgate migrate makes tables and views';
    end if;
    return (
        select jsonb_object_agg(r.name, (
            select count(*) from pg_attribute as a
            where a.attrelid = to_regclass('onpoint.' || r.name) and a.attnum > 0 and not a.attisdropped
        ))
        from unnest(v_relations) as r (name)
    );
end;
$func$;

comment on function onpoint.create_tables(text, text) is
    'The number of columns of each table and view; raises with the names of those that are missing.';
