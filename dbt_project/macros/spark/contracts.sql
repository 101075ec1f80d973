{#- Contracts are declared in the types of the warehouse; Spark calls text without a limit another name. -#}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set known = {} -%}
    {%- for name, column in columns.items() -%}
        {%- set data_type = dbt.type_string() if column.data_type == 'varchar' else column.data_type -%}
        {%- do known.update({name: dict(column, data_type=data_type)}) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(known)) }}
{%- endmacro %}
