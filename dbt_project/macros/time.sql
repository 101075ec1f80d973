{#- The company's local time of a UTC timestamp. Staging is the only place where time zones are converted. -#}
{% macro local_time(expression) -%}
    {{ return(adapter.dispatch('local_time')(expression)) }}
{%- endmacro %}

{% macro default__local_time(expression) -%}
    timezone('{{ var("time_zone") }}', timezone('UTC', {{ expression }}))
{%- endmacro %}

{% macro spark__local_time(expression) -%}
    convert_timezone('UTC', '{{ var("time_zone") }}', {{ expression }})
{%- endmacro %}

{#- The company's date of a UTC timestamp. -#}
{% macro local_date(expression) -%}
    cast({{ local_time(expression) }} as date)
{%- endmacro %}

{#- Whole years from one date to another, as in a person's age. -#}
{% macro years_between(from_date, to_date) -%}
    {{ return(adapter.dispatch('years_between')(from_date, to_date)) }}
{%- endmacro %}

{% macro default__years_between(from_date, to_date) -%}
    date_sub('year', {{ from_date }}, {{ to_date }})
{%- endmacro %}

{% macro spark__years_between(from_date, to_date) -%}
    cast(floor(months_between({{ to_date }}, {{ from_date }}) / 12) as bigint)
{%- endmacro %}

{#- Every day from one date to another, both included, as the column date_day. -#}
{% macro days_from_to(first, last) -%}
    {{ return(adapter.dispatch('days_from_to')(first, last)) }}
{%- endmacro %}

{% macro default__days_from_to(first, last) -%}
    select cast(unnest(generate_series(date '{{ first }}', date '{{ last }}', interval 1 day)) as date) as date_day
{%- endmacro %}

{% macro spark__days_from_to(first, last) -%}
    select explode(sequence(date '{{ first }}', date '{{ last }}', interval 1 day)) as date_day
{%- endmacro %}
