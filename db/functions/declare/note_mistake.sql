-- Record a statement of a plan's file that PostgreSQL itself rejected; migrate then continues, so that end_plan reports
-- all mistakes. For a misspelt argument the closest names are suggested, which PostgreSQL does not do.

create or replace function headgate.note_mistake(
    p_message text,
    p_hint text default null,
    p_statement text default ''
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._note_mistake(
        s.object[1],
        case
            when s.object[1] in ('provider', 'operation', 'pipeline') then s.object[2]
            else concat_ws('/', s.object[2], s.object[3])
        end,
        p_message,
        coalesce(
            headgate._spelling_hint(p_message), p_hint, 'run the file with psql to see the whole error'
        )
    )
    from (select (
        select regexp_match(
            p_statement,
            'headgate\.put_(\w+)\s*\(\s*(?:\w+\s*=>\s*)?''([^'']*)'''
            '(?:\s*,\s*(?:\w+\s*=>\s*)?''([^'']*)'')?'
        )
    ) as object) as s;
$func$;

comment on function headgate.note_mistake(text, text, text) is
    'Add a statement of a plan''s file that PostgreSQL rejected to the mistakes that headgate.end_plan reports.';

-- PostgreSQL reports the whole call; find out which argument is unknown, or whether the function is.
create or replace function headgate._spelling_hint(p_message text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with called as (
        select c.found[1] as name, array(
            select a.found[1] from regexp_matches(c.found[2], '(\w+) => ', 'g') as a (found)
        ) as arguments
        from regexp_match(p_message, '^function headgate\.(\w+)\((.*)\) does not exist') as c (found)
        where c.found is not null
    ),
    known as (
        select p.proname::text as name, p.proargnames as arguments
        from pg_proc as p
        where p.pronamespace = 'headgate'::regnamespace
            and (p.proname in ('begin_plan', 'end_plan') or p.proname like 'put\_%')
    )
    select case
        when k.name is null then headgate._known('declarations', c.name, array(select n.name from known as n))
        else coalesce(
            (
                select headgate._known('arguments', a.name, k.arguments)
                from unnest(c.arguments) as a (name)
                where a.name <> all (k.arguments)
                limit 1
            ),
            'an argument is missing or has the wrong type; arguments: ' || array_to_string(k.arguments, ', ')
        )
    end
    from called as c
    left join known as k using (name);
$func$;
