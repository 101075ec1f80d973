{#- Tables are Parquet files under the folder that LOUPAN_SPARK_TABLES names: where the warehouse takes the marts from. -#}
{% macro spark__file_format_clause() -%}
    using parquet
{%- endmacro %}

{% macro spark__location_clause() -%}
    {{ location_of(model.alias) }}
{%- endmacro %}

{% macro location_of(table) -%}
    location '{{ env_var("LOUPAN_SPARK_TABLES") }}/{{ table }}'
{%- endmacro %}

{#-
    Make the raw tables known to Spark, before anything is built: they lie as Parquet files under the folder that
    LOUPAN_SPARK_RAW names, one folder a table. DuckDB has them in the warehouse. Over Spark Connect the catalogue may
    still hold those of the run before.
-#}
{% macro register_raw() -%}
    {{ return(adapter.dispatch('register_raw')()) }}
{%- endmacro %}

{% macro default__register_raw() -%}
{%- endmacro %}

{% macro spark__register_raw() -%}
    {%- if execute -%}
        {%- do run_query('create schema if not exists raw') -%}
        {%- for source in graph.sources.values() -%}
            {%- set table = source.schema ~ '.' ~ source.identifier -%}
            {%- set folder = env_var('LOUPAN_SPARK_RAW') ~ '/' ~ source.identifier -%}
            {%- do run_query('drop table if exists ' ~ table) -%}
            {%- do run_query("create table " ~ table ~ " using parquet location '" ~ folder ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
