-- The answer cache: answers that are deleted before they expire, and operations for which it does nothing.

create or replace function headgate._examine_cache()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'answer cache', 'warn',
        format(
            'answers that had not expired were deleted for want of room at %s: it holds at most %s',
            to_char(z.crowded_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC'),
            pg_size_pretty((s.value #>> '{}')::bigint)
        ),
        'raise the setting cache_bytes, or cache for a shorter time: v_cache shows the bytes of each operation', false
    from headgate.cache_size as z
    join headgate.settings as s on s.name = 'cache_bytes'
    where z.crowded_at > headgate.clock() - interval '1 day'
    union all
    select
        'answer cache of ' || o.name, 'warn',
        format('%s of %s requests of its last %s runs were served by it', c.hits, c.hits + c.misses, c.runs),
        'leave out what makes every request another one, such as a header {job.key}; cache for longer than the time '
        'between two runs; or do not cache', false
    from headgate.operations as o
    cross join lateral headgate._recent_hits(o.operation_id) as c
    where o.cache is not null
        and not o.revalidate  -- an answer that serves again after 304 is no hit
        and not o.is_retired
        and c.runs >= 5
        and c.hits < 0.05 * (c.hits + c.misses);
$func$;
