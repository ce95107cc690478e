import { roles } from 'roles.bicep'
import { tagsType } from 'types.bicep'

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Part of the names.')
param name string

@description('Tags.')
param tags tagsType

var metricsPublisher = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  roles.monitoringMetricsPublisher
)

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    // Bounds what a flood of log lines can cost in a day.
    workspaceCapping: { dailyQuotaGb: 5 }
    features: { disableLocalAuth: true }
  }
}

resource appInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

resource appPublishes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(appInsights.id, identityId, metricsPublisher)
  scope: appInsights
  properties: {
    roleDefinitionId: metricsPublisher
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
  }
}

@description('Resource id of Application Insights.')
output appInsightsId string = appInsights.id

@description('Where telemetry is sent. No secret: the component takes only what an identity signs.')
output connectionString string = appInsights.properties.ConnectionString

@description('Resource id of the workspace.')
output workspaceId string = workspace.id
