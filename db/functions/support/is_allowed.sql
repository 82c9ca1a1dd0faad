-- By robots.txt (RFC 9309): the longest matching rule decides; of equally long ones, the one that allows.

create or replace function headgate.is_allowed(
    p_provider text,
    p_path text
)
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce((
        select r.is_allowed
        from headgate.v_robots as r
        where r.provider = p_provider
            and p_path like r.fits
        order by length(r.pattern) desc, r.is_allowed desc
        limit 1
    ), true);
$func$;

comment on function headgate.is_allowed(text, text) is
    'Whether a site''s robots.txt, as last read, allows Headgate to read a path with its query.';
