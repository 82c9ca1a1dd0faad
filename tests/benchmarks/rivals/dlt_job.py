"""The guide's job as dlt's documentation writes it; run by its own Python, which knows nothing of us."""

import dlt
from dlt.sources.helpers import requests

URL = "http://127.0.0.1:8080"
COUNT_WORDS = r"""
create table if not exists word_counts (post_id bigint primary key, words integer not null);
insert into word_counts as n (post_id, words)
select t.post_id, count(*)
from (
    select p.id as post_id, p.body from posts as p
    union all
    select c.post_id, c.body from comments as c
) as t
cross join lateral regexp_split_to_table(t.body, '\s+') as w (word)
where w.word <> ''
group by t.post_id
on conflict (post_id) do update
set words = excluded.words
where n.words <> excluded.words
"""


@dlt.source
def blog():
    @dlt.resource
    def numbers():
        yield from range(1, 2001)

    @dlt.transformer(
        data_from=numbers,
        write_disposition="merge",
        primary_key="id",
        columns={"title": {"nullable": False}, "body": {"nullable": False}},
        parallelized=True,
    )
    def posts(number):
        post = requests.get(f"{URL}/posts/{number}").json()
        yield {name: post[name] for name in ("id", "title", "body")}

    @dlt.transformer(
        data_from=numbers,
        write_disposition="merge",
        primary_key="id",
        columns={"email": {"nullable": False}, "body": {"nullable": False}},
        parallelized=True,
    )
    def comments(number):
        for comment in requests.get(f"{URL}/comments", params={"postId": number}).json():
            yield {name: comment[name] for name in ("id", "postId", "email", "body")}

    return posts, comments


pipeline = dlt.pipeline("blog", destination="postgres", dataset_name="blog")
print(pipeline.run(blog()))
with pipeline.sql_client() as client:
    client.execute_sql(COUNT_WORDS)
