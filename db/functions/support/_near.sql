-- Names that share nearly as many letters and letter pairs with a misspelt one as the closest does, closest first.
create or replace function headgate._near(
    p_name text,
    p_names text[]
)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    with likeness as (
        select n.name, 2.0 * l.shared / (l.pieces + cardinality(m.pieces)) as share
        from (select distinct u.name from unnest(p_names) as u (name)) as n
        cross join (select headgate._name_pieces(p_name) as pieces) as m
        cross join lateral (
            select count(*) as pieces, count(*) filter (where g.piece = any (m.pieces)) as shared
            from unnest(headgate._name_pieces(n.name)) as g (piece)
        ) as l
    )
    select array(
        select k.name
        from likeness as k
        where k.share >= greatest(0.5, 0.8 * (select max(b.share) from likeness as b))
        order by k.share desc, k.name
        limit 3
    );
$func$;

-- Its letters and letter pairs, each once; pairs include the beginning and the end.
create or replace function headgate._name_pieces(p_text text)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select distinct v.piece
        from generate_series(1, least(100, length(p_text)) + 1) as i (nth)
        cross join lateral (
            values (substr(lower(p_text), i.nth, 1)), (substr(' ' || lower(p_text) || ' ', i.nth, 2))
        ) as v (piece)
        where v.piece <> ''
    );
$func$;
