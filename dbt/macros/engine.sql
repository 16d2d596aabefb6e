{#
  SQL that differs between DuckDB and Spark: one macro for each function, one line for each engine, so
  that models run on both.
#}

{# Whole days, whole weeks, and seconds as a double, from one moment to another. #}
{% macro days_between(start, end) %}{{ adapter.dispatch("days_between")(start, end) }}{% endmacro %}
{% macro duckdb__days_between(start, end) %}cast({{ end }} - {{ start }} as bigint){% endmacro %}
{% macro spark__days_between(start, end) %}cast(datediff({{ end }}, {{ start }}) as bigint){% endmacro %}

{% macro weeks_between(start, end) %}{{ adapter.dispatch("weeks_between")(start, end) }}{% endmacro %}
{% macro duckdb__weeks_between(start, end) %}cast({{ end }} - {{ start }} as bigint) // 7{% endmacro %}
{% macro spark__weeks_between(start, end) %}cast(datediff({{ end }}, {{ start }}) as bigint) div 7{% endmacro %}

{% macro seconds_between(start, end) %}{{ adapter.dispatch("seconds_between")(start, end) }}{% endmacro %}
{% macro duckdb__seconds_between(start, end) %}epoch({{ end }} - {{ start }}){% endmacro %}
{% macro spark__seconds_between(start, end) %}(unix_micros({{ end }}) - unix_micros({{ start }})) / cast(1000000 as double){% endmacro %}

{# The integer quotient. #}
{% macro whole_quotient(number, by) %}{{ adapter.dispatch("whole_quotient")(number, by) }}{% endmacro %}
{% macro duckdb__whole_quotient(number, by) %}{{ number }} // {{ by }}{% endmacro %}
{% macro spark__whole_quotient(number, by) %}{{ number }} div {{ by }}{% endmacro %}

{# In a select list: a row for each day, or for each Monday, from one date to another. #}
{% macro each_day(start, end, step=1) %}{{ adapter.dispatch("each_day")(start, end, step) }}{% endmacro %}
{% macro duckdb__each_day(start, end, step) %}cast(unnest(generate_series({{ start }}, {{ end }}, interval {{ step }} day)) as date){% endmacro %}
{% macro spark__each_day(start, end, step) %}explode(sequence({{ start }}, {{ end }}, interval {{ step }} day)){% endmacro %}

{# In a select list: a row for each item of a list. #}
{% macro each_item(list) %}{{ adapter.dispatch("each_item")(list) }}{% endmacro %}
{% macro duckdb__each_item(list) %}unnest({{ list }}){% endmacro %}
{% macro spark__each_item(list) %}explode({{ list }}){% endmacro %}

{# A row for each item of a list, with its position from 1, beside some columns of its row. #}
{% macro items_with_positions(rows, columns, list) %}{{ adapter.dispatch("items_with_positions")(rows, columns, list) }}{% endmacro %}
{% macro duckdb__items_with_positions(rows, columns, list) %}select {{ columns | join(", ") }}, unnest({{ list }}) as item, unnest(generate_series(1, len({{ list }}))) as position from {{ rows }}{% endmacro %}
{% macro spark__items_with_positions(rows, columns, list) %}select {{ columns | join(", ") }}, item, place + 1 as position from {{ rows }} lateral view posexplode({{ list }}) as place, item{% endmacro %}

{# How many items a list has. #}
{% macro list_length(list) %}{{ adapter.dispatch("list_length")(list) }}{% endmacro %}
{% macro duckdb__list_length(list) %}len({{ list }}){% endmacro %}
{% macro spark__list_length(list) %}size({{ list }}){% endmacro %}

{# The distinct values of a group, in order; an empty list without values. #}
{% macro distinct_values(column) %}{{ adapter.dispatch("distinct_values")(column) }}{% endmacro %}
{% macro duckdb__distinct_values(column) %}coalesce(list_sort(list(distinct {{ column }}) filter ({{ column }} is not null)), []){% endmacro %}
{% macro spark__distinct_values(column) %}sort_array(collect_set({{ column }})){% endmacro %}

{# The values of a group, in order. #}
{% macro sorted_list(column) %}{{ adapter.dispatch("sorted_list")(column) }}{% endmacro %}
{% macro duckdb__sorted_list(column) %}list_sort(list({{ column }})){% endmacro %}
{% macro spark__sorted_list(column) %}sort_array(collect_list({{ column }})){% endmacro %}

{# A hash of a text as an integer of 63 bits. #}
{% macro number_of_text(text) %}{{ adapter.dispatch("number_of_text")(text) }}{% endmacro %}
{% macro duckdb__number_of_text(text) %}(md5_number_lower({{ text }}) & 9223372036854775807)::bigint{% endmacro %}
{% macro spark__number_of_text(text) %}cast(conv(substring(md5({{ text }}), 17), 16, 10) as decimal(20, 0)) % 9223372036854775808{% endmacro %}

{# A hash of 64 bits of any value, as one version of an engine has it: not to be stored. #}
{% macro hash_of(value) %}{{ adapter.dispatch("hash_of")(value) }}{% endmacro %}
{% macro duckdb__hash_of(value) %}hash({{ value }}){% endmacro %}
{% macro spark__hash_of(value) %}xxhash64({{ value }}){% endmacro %}

{# A moment as microseconds since 1970, as a number wide enough to be joined with others. #}
{% macro wide_microseconds(moment) %}{{ adapter.dispatch("wide_microseconds")(moment) }}{% endmacro %}
{% macro duckdb__wide_microseconds(moment) %}epoch_us({{ moment }})::hugeint{% endmacro %}
{% macro spark__wide_microseconds(moment) %}cast(unix_micros({{ moment }}) as decimal(38, 0)){% endmacro %}

{# The keys of a JSON object, with repetitions; null if the text is no object. #}
{% macro object_keys(json) %}{{ adapter.dispatch("object_keys")(json) }}{% endmacro %}
{% macro duckdb__object_keys(json) %}case when json_type({{ json }}) = 'OBJECT' then json_keys({{ json }}) end{% endmacro %}
{% macro spark__object_keys(json) %}json_object_keys({{ json }}){% endmacro %}

{# The distinct items of a list. #}
{% macro distinct_items(list) %}{{ adapter.dispatch("distinct_items")(list) }}{% endmacro %}
{% macro duckdb__distinct_items(list) %}list_distinct({{ list }}){% endmacro %}
{% macro spark__distinct_items(list) %}array_distinct({{ list }}){% endmacro %}

{# A common table that is computed once, however often it is read. #}
{% macro computed_once() %}{{ adapter.dispatch("computed_once")() }}{% endmacro %}
{% macro duckdb__computed_once() %}materialized{% endmacro %}
{% macro spark__computed_once() %}{% endmacro %}

{# A common table that is computed for each use, of which each reads only the columns that it needs. #}
{% macro computed_by_use() %}{{ adapter.dispatch("computed_by_use")() }}{% endmacro %}
{% macro duckdb__computed_by_use() %}not materialized{% endmacro %}
{% macro spark__computed_by_use() %}{% endmacro %}

{# The ends of the current slice; null if a model is computed at once. #}
{% macro slice_end(name, type) %}{{ adapter.dispatch("slice_end")(name, type) }}{% endmacro %}
{% macro duckdb__slice_end(name, type) %}cast(getvariable('{{ name }}') as {{ type }}){% endmacro %}
{% macro spark__slice_end(name, type) %}cast({{ name }} as {{ type }}){% endmacro %}

{% macro begin_slice(first, last) %}{{ adapter.dispatch("begin_slice")(first, last) }}{% endmacro %}
{% macro duckdb__begin_slice(first, last) %}set variable slice_first = {{ first }}; set variable slice_last = {{ last }}{% endmacro %}
{% macro spark__begin_slice(first, last) %}set variable (slice_first, slice_last) = (select {{ first }}, {{ last }}){% endmacro %}

{# A list of one item, and one of none. #}
{% macro list_of(item) %}{{ adapter.dispatch("list_of")(item) }}{% endmacro %}
{% macro duckdb__list_of(item) %}[{{ item }}]{% endmacro %}
{% macro spark__list_of(item) %}array({{ item }}){% endmacro %}
{% macro no_numbers() %}{{ adapter.dispatch("no_numbers")() }}{% endmacro %}
{% macro duckdb__no_numbers() %}[]::bigint[]{% endmacro %}
{% macro spark__no_numbers() %}cast(array() as array<bigint>){% endmacro %}

{# The day of a moment in a zone, and the moment at which a day begins there; the zone is SQL. #}
{% macro day_in(zone, moment) %}{{ adapter.dispatch("day_in")(zone, moment) }}{% endmacro %}
{% macro duckdb__day_in(zone, moment) %}cast(({{ moment }}) at time zone {{ zone }} as date){% endmacro %}
{% macro spark__day_in(zone, moment) %}cast(from_utc_timestamp({{ moment }}, {{ zone }}) as date){% endmacro %}
{% macro midnight_in(zone, day) %}{{ adapter.dispatch("midnight_in")(zone, day) }}{% endmacro %}
{% macro duckdb__midnight_in(zone, day) %}cast({{ day }} as timestamp) at time zone {{ zone }}{% endmacro %}
{% macro spark__midnight_in(zone, day) %}to_utc_timestamp(cast({{ day }} as timestamp), {{ zone }}){% endmacro %}

{#
  A quotient of decimals of six places, rounded half up. DuckDB divides doubles, whose digits do not
  suffice.
#}
{% macro exact_quotient(amount, rate) %}{{ adapter.dispatch("exact_quotient")(amount, rate) }}{% endmacro %}
{% macro duckdb__exact_quotient(amount, rate) %}
  sign({{ amount }}) * cast(
    (
      2 * cast(abs({{ amount }}) * 1000000 as hugeint) * 1000000
      + cast({{ rate }} * 1000000 as hugeint)
    ) // nullif(2 * cast({{ rate }} * 1000000 as hugeint), 0) as decimal(38, 0)
  ) * cast(0.000001 as decimal(7, 6))
{% endmacro %}
{% macro spark__exact_quotient(amount, rate) %}cast({{ amount }} / nullif({{ rate }}, 0) as decimal(38, 6)){% endmacro %}

{# Whether the engine has a time zone of a name. #}
{% macro is_zone(name) %}{{ adapter.dispatch("is_zone")(name) }}{% endmacro %}
{% macro duckdb__is_zone(name) %}{{ name }} in (select name from pg_timezone_names()){% endmacro %}
{% macro spark__is_zone(name) %}try_to_timestamp(concat('2000-01-01 00:00:00 ', {{ name }}), 'yyyy-MM-dd HH:mm:ss VV') is not null{% endmacro %}

{# Whether a list has an item; null for a null list. #}
{% macro has_item(list, item) %}{{ adapter.dispatch("has_item")(list, item) }}{% endmacro %}
{% macro duckdb__has_item(list, item) %}list_contains({{ list }}, {{ item }}){% endmacro %}
{% macro spark__has_item(list, item) %}array_contains({{ list }}, {{ item }}){% endmacro %}

{# The keys and counts of a group as one JSON object, in the order of the keys. #}
{% macro json_of_counts(key, count) %}{{ adapter.dispatch("json_of_counts")(key, count) }}{% endmacro %}
{% macro duckdb__json_of_counts(key, count) %}cast(to_json(map(list({{ key }} order by {{ key }}), list({{ count }} order by {{ key }}))) as varchar){% endmacro %}
{% macro spark__json_of_counts(key, count) %}to_json(map_from_entries(sort_array(collect_list(struct({{ key }}, {{ count }}))))){% endmacro %}

{% macro text_type() %}{{ adapter.dispatch("text_type")() }}{% endmacro %}
{% macro duckdb__text_type() %}varchar{% endmacro %}
{% macro spark__text_type() %}string{% endmacro %}
{% macro timestamp_type() %}{{ adapter.dispatch("timestamp_type")() }}{% endmacro %}
{% macro duckdb__timestamp_type() %}timestamptz{% endmacro %}
{% macro spark__timestamp_type() %}timestamp{% endmacro %}
{% macro no_texts() %}{{ adapter.dispatch("no_texts")() }}{% endmacro %}
{% macro duckdb__no_texts() %}[]::varchar[]{% endmacro %}
{% macro spark__no_texts() %}cast(array() as array<string>){% endmacro %}

{# The texts of a group that meet a condition, in an order; an empty list without any. #}
{% macro texts_in_order(text, place, condition) %}{{ adapter.dispatch("texts_in_order")(text, place, condition) }}{% endmacro %}
{% macro duckdb__texts_in_order(text, place, condition) %}coalesce(list({{ text }} order by {{ place }}) filter ({{ condition }}), []){% endmacro %}
{% macro spark__texts_in_order(text, place, condition) %}transform(sort_array(collect_list(struct({{ place }}, {{ text }})) filter (where {{ condition }})), item -> item.{{ text }}){% endmacro %}

{# A list of texts as one. #}
{% macro joined_texts(list) %}{{ adapter.dispatch("joined_texts")(list) }}{% endmacro %}
{% macro duckdb__joined_texts(list) %}array_to_string({{ list }}, ', '){% endmacro %}
{% macro spark__joined_texts(list) %}array_join({{ list }}, ', '){% endmacro %}

{# A moment as a text, UTC, to the millisecond. #}
{% macro iso_time(moment) %}{{ adapter.dispatch("iso_time")(moment) }}{% endmacro %}
{% macro duckdb__iso_time(moment) %}strftime({{ moment }}, '%Y-%m-%dT%H:%M:%S.%gZ'){% endmacro %}
{% macro spark__iso_time(moment) %}date_format({{ moment }}, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"){% endmacro %}

{# A number, or a moment, in a text as one text for each of its spellings; null for another text. #}
{% macro number_in(text) %}{{ adapter.dispatch("number_in")(text) }}{% endmacro %}
{% macro duckdb__number_in(text) %}cast(try_cast({{ text }} as double) as varchar){% endmacro %}
{% macro spark__number_in(text) %}cast(try_cast({{ text }} as double) as string){% endmacro %}
{% macro moment_in(text) %}{{ adapter.dispatch("moment_in")(text) }}{% endmacro %}
{% macro duckdb__moment_in(text) %}cast(epoch_us(try_cast({{ text }} as timestamptz)) as varchar){% endmacro %}
{% macro spark__moment_in(text) %}cast(unix_micros(try_cast({{ text }} as timestamp)) as string){% endmacro %}

{# A name by its letters and digits alone, in lower case. #}
{% macro letters_and_digits(name) %}{{ adapter.dispatch("letters_and_digits")(name) }}{% endmacro %}
{% macro duckdb__letters_and_digits(name) %}lower(regexp_replace({{ name }}, '[^\p{L}\p{N}]', '', 'g')){% endmacro %}
{% macro spark__letters_and_digits(name) %}lower(regexp_replace({{ name }}, '[^\\p{L}\\p{N}]', '')){% endmacro %}

{#
  Each value in the objects of a JSON text, as text, with the path of its keys; lists as a whole, and
  neither nulls nor objects. Spark follows objects to four levels.
#}
{% macro json_leaves(rows, columns, json) %}{{ adapter.dispatch("json_leaves")(rows, columns, json) }}{% endmacro %}
{% macro duckdb__json_leaves(rows, columns, json) %}
  select {{ columns | join(", ") }}, substr(leaf.fullkey, 3) as path, leaf.value ->> '$' as value
  from {{ rows }}, json_tree({{ json }}) as leaf
  where leaf.type not in ('OBJECT', 'NULL') and leaf.fullkey <> '$'
    and not regexp_matches(leaf.fullkey, '\[\d+\]')
{% endmacro %}
{% macro spark__json_leaves(rows, columns, json) %}
  {%- set names = columns | join(", ") %}
  {%- set level = namespace(sql="select " ~ names ~ ", '' as path, " ~ json ~ " as value from " ~ rows) %}
  {%- for depth in range(4) %}
  {%- set level.sql -%}
    select {{ names }}, concat(path, '.', key) as path, item as value from ({{ level.sql }}) as outer_level
    lateral view explode(from_json(value, 'map<string,string>')) as key, item
    where substring(value, 1, 1) = '{'
  {%- endset %}
  select {{ names }}, substring(path, 2) as path, value from ({{ level.sql }}) as level
  where value is not null and substring(value, 1, 1) <> '{'
  {{ "union all" if not loop.last }}
  {%- endfor %}
{% endmacro %}
