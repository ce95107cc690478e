import { tagsType } from 'types.bicep'

@description('Resource id of Application Insights, where the workbook is shown.')
param appInsightsId string

@description('Resource id of the account of Cosmos DB.')
param cosmosId string

@description('Region.')
param location string

@description('Resource id of the namespace of Service Bus.')
param serviceBusId string

@description('Tags.')
param tags tagsType

@description('Resource id of the workspace with the app\'s log.')
param workspaceId string

var tiles = loadTextContent('../workbook.json')

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'threadkeep')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Threadkeep'
    category: 'workbook'
    sourceId: appInsightsId
    serializedData: replace(
      replace(replace(tiles, '<cosmos>', cosmosId), '<service-bus>', serviceBusId),
      '<workspace>',
      workspaceId
    )
  }
}
