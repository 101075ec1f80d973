{#-
    Make the raw tables known to Spark, before anything is built: they lie as Parquet files under the folder that
    LOUPAN_SPARK_RAW names, one folder a table. DuckDB has them in the warehouse.
-#}
{% macro register_raw() -%}
    {{ return(adapter.dispatch('register_raw')()) }}
{%- endmacro %}

{% macro default__register_raw() -%}
{%- endmacro %}

{% macro spark__register_raw() -%}
    {%- if execute -%}
        {%- set folder = env_var('LOUPAN_SPARK_RAW') -%}
        {%- do run_query('create schema if not exists raw') -%}
        {%- for source in graph.sources.values() -%}
            {%- do run_query(
                "create table if not exists " ~ source.schema ~ "." ~ source.identifier
                ~ " using parquet location '" ~ folder ~ "/" ~ source.identifier ~ "'"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
