-- For ingest functions of pages: returns the result of each page, and turns its links into assets.

create or replace function headgate.take_pages(
    p_operation text,
    p_answers headgate.answer[],
    p_max_depth integer default 5,
    p_max_pages integer default 10000,
    p_refuse text[] default '{}'
)
returns table (asset_id bigint, status text, reason text, page jsonb, left_out integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('take_pages', jsonb_build_object(
            'p_operation', p_operation, 'p_answers', to_jsonb(p_answers), 'p_max_depth', p_max_depth,
            'p_max_pages', p_max_pages, 'p_refuse', p_refuse
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_recordset(q.result) as r (
        asset_id bigint, status text, reason text, page jsonb, left_out integer
    );
$func$;

comment on function headgate.take_pages(text, headgate.answer[], integer, integer, text[]) is
    'Judge pages parsed by html, and turn their links within the site into assets, up to a depth and a number, except '
    'paths that match p_refuse (LIKE); returns the result of each page, and the number of links left out beyond the '
    'limit.';
