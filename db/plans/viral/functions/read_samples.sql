-- The samples of a text in Prometheus's format.

create or replace function viral.read_samples(p_text text)
returns table (name text, labels jsonb, value double precision)
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select m.parts[1], coalesce(l.labels, '{}'), m.parts[3]::double precision
    from string_to_table(p_text, e'\n') as t (line)
    cross join lateral (
        select regexp_match(t.line, '^([a-zA-Z_:][a-zA-Z0-9_:]*)({.*})?[ \t]+([^ \t\r]+)') as parts
    ) as m
    cross join lateral (
        select jsonb_object_agg(r.pair[1], r.pair[2]) as labels
        from regexp_matches(m.parts[2], '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', 'g') as r (pair)
    ) as l
    where pg_input_is_valid(m.parts[3], 'double precision');
$func$;

comment on function viral.read_samples(text) is 'The samples of a text in Prometheus''s format: name, labels, value.';
